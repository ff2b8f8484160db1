"""The log of a run ends with the number of tasks in each state."""

import os

from observe import threads

import parsl


@parsl.python_app
def check(number):
    assert number


with threads() as kernel:
    for number in range(3):
        check(number).exception()

with open(os.path.join(kernel.run_dir, "parsl.log")) as log:
    text = log.read()
summary = text[text.index("Summary of tasks in DFK:") : text.index("End of summary")]
print([line.rpartition("States.")[2] for line in summary.splitlines() if not line.endswith((" 0", ":"))][:-1])

# prints:
# ['exec_done: 2', 'failed: 1']
