"""Two bash apps append to the same file, unless a mode is given."""

from pathlib import Path

from observe import threads

import parsl


@parsl.bash_app
def greet(name, stdout=None):
    return f"echo {name}"


with threads():
    greet("a", stdout="appended.txt").result()
    greet("b", stdout="appended.txt").result()
    greet("a", stdout=("replaced.txt", "w")).result()
    greet("b", stdout=("replaced.txt", "w")).result()
    print(Path("appended.txt").read_text().split(), Path("replaced.txt").read_text().split())

# prints:
# ['a', 'b'] ['b']
