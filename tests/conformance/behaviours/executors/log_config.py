"""A LogConfig applies to all processes: interchange, managers and workers."""

import logging
import os

import parsl
from parsl import Config, HighThroughputExecutor
from parsl.logconfigs.json import JSONLogging


@parsl.python_app
def warn():
    import logging

    logging.getLogger("of.a.task").warning("from a task")


executor = HighThroughputExecutor(label="htex", max_workers_per_node=1, address="127.0.0.1")
with parsl.load(Config(executors=[executor], initialize_logging=JSONLogging(level=logging.INFO))) as kernel:
    warn().result()

found = {name: os.path.join(folder, name) for folder, _, names in os.walk(kernel.run_dir) for name in names}
print(sorted(name for name in found if name.endswith(("log", "logs"))))
with open(found["worker_0.jsonlog"]) as log:
    print("from a task" in log.read())

# prints:
# ['interchange.jsonlog', 'manager.jsonlog', 'parsl.jsonlog', 'worker_0.jsonlog']
# True
