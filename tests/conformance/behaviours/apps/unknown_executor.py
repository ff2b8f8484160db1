"""An app that names an executor which does not exist fails."""

from observe import threads, where_it_fails

import parsl


@parsl.python_app(executors=["absent"])
def double(x):
    return 2 * x


with threads():
    print(where_it_fails(lambda: double(1)))

# prints:
# the call: ValueError
#
# upstream prints:
# the future: ValueError
