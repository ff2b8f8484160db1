"""The keyword argument ``walltime`` works for a function that has no such parameter."""

from observe import threads, where_it_fails

import parsl


@parsl.python_app
def double(x):
    return 2 * x


with threads():
    print(where_it_fails(lambda: double(2, walltime=60)))

# prints:
# the result is 4
#
# upstream prints:
# the future: TypeError
