"""By default, futures in a list argument are not waited for; the deep resolver does."""

from observe import threads

import parsl
from parsl.dataflow.dependency_resolvers import DEEP_DEPENDENCY_RESOLVER


@parsl.python_app
def one():
    return 1


@parsl.python_app
def kinds(values):
    return [type(value).__name__ for value in values]


with threads():
    print(kinds([one(), 2]).result())
with threads(dependency_resolver=DEEP_DEPENDENCY_RESOLVER):
    print(kinds([one(), 2]).result())

# prints:
# ['AppFuture', 'int']
# ['int', 'int']
