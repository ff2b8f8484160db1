"""A retry handler gets the error and the record of the task, and returns what an attempt costs."""

from observe import threads

import parsl

seen = []


def handler(error, record):
    seen.append((type(error).__name__, record["func_name"], record["id"], record["args"][0]))
    return 0.5


@parsl.python_app
def fail(x):
    raise ValueError(x)


with threads(retries=1, retry_handler=handler):
    print(type(fail(7).exception()).__name__)
print(seen)

# prints:
# ValueError
# [('ValueError', 'fail', 0, 7), ('ValueError', 'fail', 0, 7), ('ValueError', 'fail', 0, 7)]
