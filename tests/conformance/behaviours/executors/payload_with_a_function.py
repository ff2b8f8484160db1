"""submit_payload calls the function that the context names; what it returns is the result."""

import parsl
from parsl import Config, HighThroughputExecutor

if __name__ == "__main__":
    executor = HighThroughputExecutor(max_workers_per_node=1, cores_per_worker=0.1, encrypted=False)
    with parsl.load(Config(executors=[executor])):
        for context in (
            {"task_executor": {"f": "operator.add", "a": [b"!"]}},
            {"task_executor": {"f": "builtins.bytes", "a": [], "k": {}}},
        ):
            future = executor.submit_payload(context, b"payload")
            error = future.exception(timeout=100)
            print(type(error).__name__ if error else future.result())
        doubled = executor.submit_payload({"task_executor": {"f": "operator.mul", "a": [2], "k": {}}}, 21)
        print(doubled.result(timeout=100))
        print(executor.workers_per_node, executor._task_counter)

# prints:
# b'payload!'
# b'payload'
# 42
# 1 3
