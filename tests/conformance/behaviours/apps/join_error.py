"""A join app fails with a JoinError if one of its futures fails."""

from observe import threads

import parsl
from parsl.dataflow.errors import PropagatedException


@parsl.python_app
def fail():
    raise ValueError("no")


@parsl.join_app
def join_it():
    return [fail()]


with threads():
    error = join_it().exception()
    print(type(error).__name__, isinstance(error, PropagatedException))
    print([type(cause).__name__ for cause, _ in error.dependent_exceptions_tids])

# prints:
# JoinError True
# ['ValueError']
