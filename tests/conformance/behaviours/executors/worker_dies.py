"""A task whose worker dies fails with WorkerLost, and the next task runs."""

from observe import processes

import parsl


@parsl.python_app
def die():
    import os

    os._exit(2)


@parsl.python_app
def one():
    return 1


with processes():
    print(type(die().exception()).__name__, one().result(timeout=60))

# prints:
# WorkerLost 1
