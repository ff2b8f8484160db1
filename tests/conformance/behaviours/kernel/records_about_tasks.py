"""Log records have attributes: the task, its states, its dependencies and its executor."""

import logging

from observe import threads

import parsl


class Attributes(logging.Handler):
    def __init__(self):
        super().__init__()
        self.seen = []

    def emit(self, record):
        self.seen.append(vars(record))

    def of(self, name, task):
        found = [each for each in self.seen if each.get("parsl.task") == task]
        return [each[f"parsl.{name}"] for each in found if f"parsl.{name}" in each]


@parsl.python_app
def double(x):
    return 2 * x


attributes = Attributes()
logging.getLogger("parsl").addHandler(attributes)
with threads() as kernel:
    print(double(double(1)).result())
    names = ("app_name", "dependency_task", "executor", "try")
    print({name: attributes.of(name, 1) for name in names})
    print(attributes.of("task_state", 0))
    print(set(attributes.of("dfk", 0)) == {kernel.run_id})

# prints:
# 4
# {'app_name': ['double'], 'dependency_task': [0], 'executor': ['threads'], 'try': [0]}
# ['pending', 'launched', 'exec_done']
# True
