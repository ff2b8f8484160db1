"""A chain of 3000 tasks needs no deep stack."""

from observe import threads

import parsl


@parsl.python_app
def add(x):
    return x + 1


with threads():
    future = 0
    for _ in range(3000):
        future = add(future)
    print(future.result())

# prints:
# 3000
