"""ParslPoolExecutor maps a function over several iterables."""

from parsl import Config, ThreadPoolExecutor
from parsl.concurrent import ParslPoolExecutor


def add(x, y=0):
    return x + y


with ParslPoolExecutor(Config(executors=[ThreadPoolExecutor()])) as pool:
    print(list(pool.map(add, [1, 2, 3], [10, 20, 30])), pool.submit(add, 1, y=2).result())

# prints:
# [11, 22, 33] 3
