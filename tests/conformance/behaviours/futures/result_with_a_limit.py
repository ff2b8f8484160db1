"""``result(timeout)`` of a task that has not ended raises the TimeoutError of concurrent.futures."""

import concurrent.futures

from observe import threads

import parsl


@parsl.python_app
def take(x):
    return x


with threads():
    gate = concurrent.futures.Future()
    future = take(gate)
    try:
        future.result(timeout=0.01)
    except concurrent.futures.TimeoutError:
        print("TimeoutError", future.done())
    gate.set_result(5)
    print(future.result())

# prints:
# TimeoutError False
# 5
