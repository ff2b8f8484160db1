"""A callback of a future runs once the task has ended, with the future."""

import threading

from observe import threads

import parsl


@parsl.python_app
def one():
    return 1


called = threading.Event()
seen = []


def note(future):
    seen.append(future.result())
    called.set()


with threads():
    future = one()
    future.add_done_callback(note)
    print(called.wait(30), seen)

# prints:
# True [1]
