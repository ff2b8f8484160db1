"""A join app may return an empty list, a list of futures, or one future."""

from observe import threads

import parsl


@parsl.python_app
def double(x):
    return 2 * x


@parsl.join_app
def doubles(n):
    return [double(i) for i in range(n)]


@parsl.join_app
def one():
    return double(21)


with threads():
    print(doubles(0).result(), doubles(3).result(), one().result())

# prints:
# [] [0, 2, 4] 42
