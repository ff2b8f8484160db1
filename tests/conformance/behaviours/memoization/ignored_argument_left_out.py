"""``ignore_for_cache`` names an argument that a call leaves out."""

from observe import threads

import parsl


@parsl.python_app(cache=True, ignore_for_cache=["note"])
def double(x, note=None):
    return 2 * x


with threads():
    print(repr(double(1).exception()))

# prints:
# None
#
# upstream prints:
# KeyError('note')
