"""With one worker, tasks of a lower number of priority start earlier."""

from pathlib import Path

from observe import processes, wait_until

import parsl


@parsl.python_app
def note(name, parsl_resource_specification=None):
    with open("order.txt", "a") as file:
        file.write(f"{name} ")


@parsl.python_app
def hold(parsl_resource_specification=None):
    import os
    import time

    open("running", "w").close()
    while not os.path.exists("gate"):
        time.sleep(0.01)


with processes(prefetch_capacity=0) as kernel:
    held = hold(parsl_resource_specification={"priority": 0})
    wait_until(Path("running").exists)
    futures = [note(name, parsl_resource_specification={"priority": name}) for name in (5, 3, 9, 1)]
    executor = kernel.executors["HighThroughputExecutor"]
    wait_until(lambda: executor.outstanding() == 5 and executor.connected_managers())
    Path("gate").touch()
    for future in futures:
        future.result()
    print(Path("order.txt").read_text())

# prints:
# 1 3 5 9
