"""JSONLogging records the loggers of the script, too, and the attributes of records about tasks."""

import json
import logging
import os

from observe import threads

import parsl
from parsl.logconfigs.json import JSONLogging


@parsl.python_app
def double(x):
    return 2 * x


with threads(initialize_logging=JSONLogging()) as kernel:
    logging.getLogger("my.script").info("hello")
    double(1).result()

with open(os.path.join(kernel.run_dir, "parsl.jsonlog")) as log:
    lines = [json.loads(line) for line in log]
print([line["formatted"] for line in lines if line["name"] == "my.script"])
print([line["parsl.task_state"] for line in lines if "parsl.task_state" in line])

# prints:
# ['hello']
# ['pending', 'launched', 'exec_done']
