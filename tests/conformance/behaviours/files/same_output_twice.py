"""The same file twice in the outputs of a call."""

from observe import threads, where_it_fails

import parsl
from parsl.data_provider.files import File


@parsl.bash_app
def write(outputs=()):
    return f"touch {outputs[0]}"


with threads():
    print(where_it_fails(lambda: write(outputs=[File("a"), File("a")]), ValueError))

# prints:
# the call: ValueError
#
# upstream prints:
# the result is 0
