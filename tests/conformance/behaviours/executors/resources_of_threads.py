"""A resource specification for threads, which have none."""

from observe import threads, where_it_fails

import parsl


@parsl.python_app
def one(parsl_resource_specification=None):
    return 1


with threads():
    print(where_it_fails(lambda: one(parsl_resource_specification={"cores": 2})))

# prints:
# the call: InvalidResourceSpecification
#
# upstream prints:
# the future: InvalidResourceSpecification
