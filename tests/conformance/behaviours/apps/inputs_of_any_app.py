"""The keyword argument ``inputs`` needs a parameter of that name upstream."""

from observe import threads, where_it_fails

import parsl


@parsl.python_app
def double(x):
    return 2 * x


with threads():
    print(where_it_fails(lambda: double(2, inputs=[double(1)])))

# prints:
# the result is 4
#
# upstream prints:
# the future: TypeError
