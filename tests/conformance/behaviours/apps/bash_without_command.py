"""A bash app whose function returns no string fails."""

from observe import name_of, threads

import parsl


@parsl.bash_app
def nothing():
    return None


with threads():
    print(name_of(nothing().exception(), ValueError))

# prints:
# ValueError
