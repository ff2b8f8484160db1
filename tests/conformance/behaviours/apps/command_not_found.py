"""A bash app whose program does not exist has the shell's exit code."""

from observe import threads

import parsl


@parsl.bash_app
def run(stderr="err.txt"):
    return "no-such-program-anywhere"


with threads():
    print(run().exception().exitcode)

# prints:
# 127
