"""An app that is called with an argument too many fails."""

from observe import threads, where_it_fails

import parsl


@parsl.python_app
def double(x):
    return 2 * x


with threads():
    print(where_it_fails(lambda: double(1, 2)))

# prints:
# the call: TypeError
#
# upstream prints:
# the future: TypeError
