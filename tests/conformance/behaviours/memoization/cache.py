"""``cache=True`` runs a call once; ``ignore_for_cache`` leaves arguments out of the comparison."""

from observe import threads

import parsl

ran = []


@parsl.python_app(cache=True, ignore_for_cache=["note"])
def double(x, note):
    ran.append((x, note))
    return 2 * x


with threads():
    print([double(x, note=note).result() for x, note in ((1, "a"), (1, "b"), (2, "a"))])
    print(ran)

# prints:
# [2, 2, 4]
# [(1, 'a'), (2, 'a')]
