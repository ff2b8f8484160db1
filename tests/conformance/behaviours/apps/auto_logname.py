"""AUTO_LOGNAME names a file in the run's directory by the task's number and function."""

from observe import threads

import parsl


@parsl.bash_app
def greet(stdout=parsl.AUTO_LOGNAME, label=None):
    return "echo hello"


with threads():
    first, second = greet(), greet(label="me")
    first.result(), second.result()
    print(first.stdout.rpartition("/runinfo/")[2])
    print(second.stdout.rpartition("/runinfo/")[2])

# prints:
# 000/task_logs/0000/task_0000_greet.stdout
# 000/task_logs/0000/task_0001_greet_me.stdout
