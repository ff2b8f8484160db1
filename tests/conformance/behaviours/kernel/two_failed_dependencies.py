"""A task with two failed dependencies names both."""

import concurrent.futures

from observe import threads

import parsl


@parsl.python_app
def fail(x):
    raise ValueError(x)


@parsl.python_app
def add(x, y):
    return x + y


with threads():
    parents = [fail(1), fail(2)]
    concurrent.futures.wait(parents)
    error = add(*parents).exception()
    print([repr(cause) for cause, _ in error.dependent_exceptions_tids])

# prints:
# ['ValueError(1)', 'ValueError(2)']
