"""A file that no staging provider knows."""

from observe import threads, where_it_fails

import parsl
from parsl.data_provider.files import File


@parsl.python_app
def read(inputs=()):
    return open(inputs[0]).read()


with threads():
    print(where_it_fails(lambda: read(inputs=[File("gopher://host/a.txt")]), ValueError))

# prints:
# the call: ValueError
