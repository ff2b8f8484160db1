"""An argument that cannot be pickled fails its task only."""

from observe import processes

import parsl


@parsl.python_app
def take(x):
    return 1


with processes():
    error = take(i for i in range(3)).exception()
    print(isinstance(error, Exception), take(1).result())

# prints:
# True 1
