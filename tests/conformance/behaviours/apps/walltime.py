"""A Python app that exceeds its walltime fails."""

import time

from observe import threads

import parsl


@parsl.python_app
def nap(walltime=1):
    for _ in range(3000):
        time.sleep(0.01)


with threads():
    print(type(nap().exception()).__name__)

# prints:
# AppTimeout
