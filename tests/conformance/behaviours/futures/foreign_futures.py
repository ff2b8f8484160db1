"""Futures of other libraries are dependencies, by position, by keyword and in ``inputs``."""

import concurrent.futures

from observe import threads

import parsl


@parsl.python_app
def add(x, y, inputs=()):
    return x + y + sum(inputs)


with threads(), concurrent.futures.ThreadPoolExecutor(1) as pool:
    futures = [pool.submit(pow, 2, i) for i in range(4)]
    print(add(futures[0], y=futures[1], inputs=futures[2:]).result())

# prints:
# 15
