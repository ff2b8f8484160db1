"""A join app that returns something else than futures fails."""

from observe import threads

import parsl


@parsl.join_app
def seven():
    return 7


with threads():
    print(type(seven().exception()).__name__)

# prints:
# TypeError
