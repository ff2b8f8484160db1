"""Two functions of the same name with different bodies do not share results."""

from observe import threads

import parsl


def make(factor):
    if factor == 2:

        @parsl.python_app(cache=True)
        def scale(x):
            return 2 * x
    else:

        @parsl.python_app(cache=True)
        def scale(x):
            return 3 * x

    return scale


with threads():
    print(make(2)(1).result(), make(3)(1).result())

# prints:
# 2 3
#
# upstream prints:
# 2 2
