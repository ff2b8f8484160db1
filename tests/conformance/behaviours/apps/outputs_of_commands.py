"""``stdout`` may be a path object, and its folder is created; ``stderr`` may be a File."""

from pathlib import Path

from observe import threads

import parsl
from parsl.data_provider.files import File


@parsl.bash_app
def greet(stdout=None, stderr=None):
    return "echo hello; echo trouble >&2"


with threads():
    future = greet(stdout=Path("new/out.txt"), stderr=File("err.txt"))
    print(future.result(), Path("new/out.txt").read_text().strip(), type(future.stderr).__name__)
    print("trouble" in Path("err.txt").read_text())

# prints:
# 0 hello DataFuture
# True
