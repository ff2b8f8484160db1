"""What ``cache=True`` costs with a checkpoint of each task, and the rate of known calls."""

from __future__ import annotations

from statistics import median

import parsl
from benchmarks import tasks
from benchmarks.pools import WORKERS
from benchmarks.pools.parsl_pool import process_config
from benchmarks.workloads.harness import WARM_UP_TASKS, Options, Values, main, rate


def measure(options: Options) -> Values:
    """Alternate between calls that are not remembered, the same ones remembered, and known ones."""
    from parsl.dataflow.memoization import BasicMemoizer

    config = process_config(WORKERS)
    config.memoizer = BasicMemoizer(checkpoint_mode="task_exit")
    kernel = parsl.load(config)
    plain = parsl.python_app(tasks.take)
    remembered = parsl.python_app(tasks.take, cache=True)
    rate(plain, range(WARM_UP_TASKS))
    rate(remembered, range(WARM_UP_TASKS))
    shares, new, known = [], [], []
    for number in range(1, options.repeats + 1):
        numbers = range(number * options.tasks, (number + 1) * options.tasks)
        without = rate(plain, numbers)
        new.append(rate(remembered, numbers))
        known.append(rate(remembered, numbers))
        shares.append(new[-1] / without)
    kernel.cleanup()
    parsl.clear()
    return {"share": median(shares), "tasks_per_s": median(new), "hits_per_s": median(known)}


if __name__ == "__main__":
    main(measure, tasks=5000, repeats=9)
