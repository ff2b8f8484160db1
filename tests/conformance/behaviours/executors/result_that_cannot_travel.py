"""A result that cannot be pickled fails its task only."""

from observe import processes

import parsl


@parsl.python_app
def unpicklable():
    return (i for i in range(3))


@parsl.python_app
def one():
    return 1


with processes():
    error = unpicklable().exception()
    print(isinstance(error, Exception), one().result())

# prints:
# True 1
