"""A bash app has the result 0, or fails with an error that has the exit code."""

from observe import threads

import parsl


@parsl.bash_app
def end_with(code):
    return f"exit {code}"


with threads():
    print(end_with(0).result())
    error = end_with(3).exception()
    print(type(error).__name__, error.exitcode, error.app_name)

# prints:
# 0
# BashExitFailure 3 end_with
