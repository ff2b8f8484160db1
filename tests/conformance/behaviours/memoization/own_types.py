"""``id_for_memo`` is extended for types of the user's own; without that, such an argument is an error."""

from observe import threads, where_it_fails

import parsl
from parsl.dataflow.memoization import id_for_memo


class Known:
    pass


class Unknown:
    def __reduce__(self):
        raise TypeError("it cannot be pickled")


@id_for_memo.register(Known)
def id_of_known(value, output_ref=False):
    return b"known"


ran = []


@parsl.python_app(cache=True)
def take(value):
    ran.append(type(value).__name__)


with threads():
    take(Known()).result(), take(Known()).result()
    print(ran)
    print(where_it_fails(lambda: take(Unknown()), ValueError))

# prints:
# ['Known']
# the future: ValueError
