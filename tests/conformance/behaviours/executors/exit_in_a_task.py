"""A task that calls ``sys.exit`` in a process of a node."""

from observe import processes

import parsl


@parsl.python_app
def leave():
    import sys

    sys.exit(3)


@parsl.python_app
def one():
    return 1


with processes():
    try:
        leave().result()
    except BaseException as error:
        print(type(error).__name__)
    print(one().result())

# prints:
# WorkerLost
# 1
