"""An app that is called inside a task of a process."""

from observe import processes

import parsl


@parsl.python_app
def outer():
    import parsl

    @parsl.python_app
    def inner():
        return 1

    return inner().result()


with processes():
    print(type(outer().exception()).__name__)

# prints:
# NoDataFlowKernelError
