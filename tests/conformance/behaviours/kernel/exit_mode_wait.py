"""With ``exit_mode="wait"``, the end of the block waits for all tasks."""

import time

from observe import threads

import parsl


@parsl.python_app
def nap(x):
    time.sleep(0.2)
    return x


with threads(workers=1, exit_mode="wait"):
    last = nap(nap(1))
print(last.done(), last.result())

# prints:
# True 1
