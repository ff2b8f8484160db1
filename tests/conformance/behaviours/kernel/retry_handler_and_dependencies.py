"""Whether the retry handler is called for a task whose dependency has failed."""

from observe import threads

import parsl

seen = []


def handler(error, record):
    seen.append(type(error).__name__)
    return 1


@parsl.python_app
def fail():
    raise ValueError


@parsl.python_app
def take(x):
    return x


with threads(retries=1, retry_handler=handler):
    take(fail()).exception()
print(seen)

# prints:
# ['ValueError', 'ValueError']
#
# upstream prints:
# ['ValueError', 'ValueError', 'DependencyError']
