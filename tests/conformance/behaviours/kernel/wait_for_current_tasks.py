"""``wait_for_current_tasks`` waits for all tasks, and ``task_count`` counts them."""

import time

from observe import threads

import parsl


@parsl.python_app
def nap(x):
    time.sleep(0.1)
    return x


with threads(workers=4) as kernel:
    futures = [nap(i) for i in range(6)]
    parsl.wait_for_current_tasks()
    print(all(future.done() for future in futures), kernel.task_count)

# prints:
# True 6
