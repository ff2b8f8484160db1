"""An exception is reused within a run."""

from observe import threads

import parsl

ran = []


@parsl.python_app(cache=True)
def fail(x):
    ran.append(x)
    raise ValueError(x)


with threads():
    print(repr(fail(1).exception()), repr(fail(1).exception()), ran)

# prints:
# ValueError(1) ValueError(1) [1]
