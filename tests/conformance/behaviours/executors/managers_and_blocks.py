"""What a running executor reports about its managers."""

from observe import processes, wait_until

with processes(workers=2) as kernel:
    executor = next(each for each in kernel.executors.values() if hasattr(each, "connected_managers"))
    wait_until(executor.connected_managers)
    (manager,) = executor.connected_managers()
    print(manager["worker_count"], manager["block_id"], manager["active"], manager["draining"])
    print(executor.connected_blocks(), executor.outstanding())

# prints:
# 2 0 True False
# ['0'] 0
