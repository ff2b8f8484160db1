"""An error of a task keeps its type, its attributes and its traceback between processes."""

import traceback

from observe import processes

import parsl


@parsl.python_app
def fail():
    raise KeyError("the key", 7)


with processes():
    error = fail().exception()
    print(type(error).__name__, error.args)
    print("fail" in "".join(traceback.format_exception(type(error), error, error.__traceback__)))

# prints:
# KeyError ('the key', 7)
# True
