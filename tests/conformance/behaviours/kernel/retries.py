"""``retries=2`` means three attempts."""

from observe import threads

import parsl

attempts = []


@parsl.python_app
def fail_often(times):
    attempts.append(times)
    if len(attempts) < times:
        raise ValueError(len(attempts))
    return len(attempts)


with threads(retries=2):
    print(fail_often(3).result())
    attempts.clear()
    print(repr(fail_often(9).exception()), len(attempts))

# prints:
# 3
# ValueError(3) 3
