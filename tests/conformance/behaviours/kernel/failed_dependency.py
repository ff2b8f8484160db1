"""A task whose dependency has failed does not run, and fails with a DependencyError that names the cause."""

from observe import threads

import parsl

ran = []


@parsl.python_app
def fail():
    raise ValueError("the root")


@parsl.python_app
def take(x):
    ran.append(x)
    return x


with threads():
    error = take(take(fail())).exception()
    print(type(error).__name__, ran)
    print([type(cause).__name__ for cause, _ in error.dependent_exceptions_tids])
    while getattr(error, "dependent_exceptions_tids", None):
        error = error.dependent_exceptions_tids[0][0]
    print(repr(error))

# prints:
# DependencyError []
# ['DependencyError']
# ValueError('the root')
