"""The deep resolver finds futures in lists, tuples, sets, and keys and values of dictionaries."""

from observe import threads

import parsl
from parsl.dataflow.dependency_resolvers import DEEP_DEPENDENCY_RESOLVER


@parsl.python_app
def value(x):
    return x


@parsl.python_app
def show(*values):
    return repr(values)


with threads(dependency_resolver=DEEP_DEPENDENCY_RESOLVER):
    print(show([(value(1),)], {value(2)}, {value(3): [value(4)]}).result())

# prints:
# ([(1,)], {2}, {3: [4]})
