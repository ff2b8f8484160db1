"""A run whose tasks have all failed leaves a checkpoint that another run can load."""

import os

from observe import threads

import parsl
from parsl.dataflow.memoization import BasicMemoizer


@parsl.python_app(cache=True)
def fail():
    raise ValueError


for mode in ("task_exit", "dfk_exit", "manual"):
    with threads(memoizer=BasicMemoizer(checkpoint_mode=mode)) as kernel:
        fail().exception()
    checkpoint = os.path.join(kernel.run_dir, "checkpoint")
    print(mode, os.path.getsize(os.path.join(checkpoint, "tasks.pkl")))
    with threads(memoizer=BasicMemoizer(checkpoint_files=[checkpoint])):
        print(type(fail().exception()).__name__)

# prints:
# task_exit 0
# ValueError
# dfk_exit 0
# ValueError
# manual 0
# ValueError
