"""``future[key]`` and ``future.name`` are futures; names that begin with an underscore are not."""

from types import SimpleNamespace

from observe import error_of, threads

import parsl


@parsl.python_app
def make():
    return {"a": [1, 2]}


@parsl.python_app
def thing():
    return SimpleNamespace(size=3)


with threads():
    print(make()["a"][1].result(), thing().size.result())
    print(error_of(lambda: thing()._size))
    print(type(make()["b"].exception()).__name__)

# prints:
# 2 3
# AttributeError
# KeyError
