"""A run continues with the results of an earlier one."""

from pathlib import Path

from observe import threads

import parsl
from parsl.dataflow.memoization import BasicMemoizer
from parsl.utils import get_all_checkpoints

ran = []


@parsl.python_app(cache=True)
def double(x):
    ran.append(x)
    return 2 * x


with threads(memoizer=BasicMemoizer(checkpoint_mode="dfk_exit")):
    print(double(1).result(), double(2).result())
print(Path("runinfo/000/checkpoint/tasks.pkl").exists())
with threads(memoizer=BasicMemoizer(checkpoint_files=get_all_checkpoints())):
    print(double(1).result(), double(3).result())
print(ran)

# prints:
# 2 4
# True
# 2 6
# [1, 2, 3]
