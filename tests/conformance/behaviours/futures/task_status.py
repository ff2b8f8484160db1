"""``task_status`` names the state of a task."""

import concurrent.futures

from observe import threads

import parsl


@parsl.python_app(cache=True)
def take(x):
    return 1 / x


with threads():
    gate = concurrent.futures.Future()
    waiting = take(gate)
    print(waiting.task_status())
    gate.set_result(1)
    futures = [waiting, take(0), take(1), take(take(0))]
    concurrent.futures.wait(futures)
    print([future.task_status() for future in futures])

# prints:
# pending
# ['exec_done', 'failed', 'memo_done', 'dep_fail']
