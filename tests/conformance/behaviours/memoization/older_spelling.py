"""``Config(app_cache=False)``, the older spelling, switches the reuse of results off."""

from observe import error_of, threads

import parsl

ran = []


@parsl.python_app(cache=True)
def double(x):
    ran.append(x)
    return 2 * x


def run():
    with threads(app_cache=False):
        double(1).result(), double(1).result()
    return ran


print(error_of(run))

# prints:
# returns [1, 1]
#
# upstream prints:
# TypeError
