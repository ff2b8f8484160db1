"""A resource specification with a key that the executor does not know."""

from observe import processes, where_it_fails

import parsl


@parsl.python_app
def one(parsl_resource_specification=None):
    return 1


with processes():
    print(where_it_fails(lambda: one(parsl_resource_specification={"corez": 2})))

# prints:
# the call: InvalidResourceSpecification
#
# upstream prints:
# the future: InvalidResourceSpecification
