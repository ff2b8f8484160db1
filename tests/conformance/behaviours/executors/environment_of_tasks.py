"""What the environment of a task in a process of a node contains."""

from observe import processes

import parsl


@parsl.python_app
def variables():
    import os

    return {name: value for name, value in os.environ.items() if name.startswith("PARSL_WORKER_")}


with processes(workers=1):
    found = variables().result()
    print(sorted(found))
    print(found["PARSL_WORKER_RANK"], found["PARSL_WORKER_COUNT"], found["PARSL_WORKER_BLOCK_ID"])

# prints:
# ['PARSL_WORKER_BLOCK_ID', 'PARSL_WORKER_COUNT', 'PARSL_WORKER_POOL_ID', 'PARSL_WORKER_RANK']
# 0 1 0
