"""``cancel`` of a waiting task."""

import concurrent.futures

from observe import error_of, threads

import parsl


@parsl.python_app
def wait_for(x):
    return x


with threads():
    gate = concurrent.futures.Future()
    future = wait_for(gate)
    print(error_of(future.cancel))
    gate.set_result(1)
    print(error_of(future.result))

# prints:
# returns True
# CancelledError
#
# upstream prints:
# NotImplementedError
# returns 1
