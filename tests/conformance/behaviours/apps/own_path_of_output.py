"""std_autopath of Config chooses where AUTO_LOGNAME writes."""

from pathlib import Path

from observe import threads

import parsl


@parsl.bash_app
def greet(stdout=parsl.AUTO_LOGNAME):
    return "echo hello"


def choose(task_record, kind):
    return f"out/{task_record['func_name']}-{task_record['id']}.{kind}"


with threads(std_autopath=choose):
    future = greet()
    future.result()
    print(future.stdout, Path("out/greet-0.stdout").read_text().strip())

# prints:
# out/greet-0.stdout hello
