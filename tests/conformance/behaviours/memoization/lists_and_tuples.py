"""Whether a list and a tuple of the same items are the same argument."""

from observe import threads

import parsl

ran = []


@parsl.python_app(cache=True)
def count(items):
    ran.append(type(items).__name__)
    return len(items)


with threads():
    count([1, 2]).result()
    count((1, 2)).result()
print(ran)

# prints:
# ['list', 'tuple']
#
# upstream prints:
# ['list']
