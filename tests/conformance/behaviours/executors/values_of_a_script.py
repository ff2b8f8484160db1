"""Functions of a script use its globals and classes in processes of a node."""

from observe import error_of, processes

import parsl

FACTOR = 3


class Scaled:
    def __init__(self, value):
        self.value = FACTOR * value


def helper(x):
    return Scaled(x)


@parsl.python_app
def scale(x):
    return helper(x).value


with processes():
    print(error_of(lambda: scale(2).result()))

# prints:
# returns 6
#
# upstream prints:
# NameError
