"""The default of a special parameter in an app's signature counts as given."""

from pathlib import Path

from observe import threads

import parsl


@parsl.bash_app
def greet(stdout="greeting.txt"):
    return "echo hello"


with threads():
    future = greet()
    print(future.result(), future.stdout, Path("greeting.txt").read_text().strip())

# prints:
# 0 greeting.txt hello
