"""Iteration over a future."""

from observe import error_of, threads

import parsl


@parsl.python_app
def pair():
    return (1, 2)


with threads():
    future = pair()
    future.result()
    iterator = error_of(lambda: next(iter(future)) is None)
    print(iterator)

# prints:
# TypeError
#
# upstream prints:
# returns False
