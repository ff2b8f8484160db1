"""No-op tasks per second: all are submitted, then all are waited for."""

from __future__ import annotations

from benchmarks.workloads.harness import Options, Values, main, open_warm, run_noops

#: Tasks that estimate the rate, when the number requested may take too long.
PILOT_TASKS = 1000


def measure(options: Options) -> Values:
    """Run the requested number of tasks, or fewer when that would exceed the limit."""
    pool = open_warm(options, options.executor)
    count = options.tasks
    if count > options.at_least:
        pilot_s = run_noops(pool, PILOT_TASKS)
        if count * pilot_s / PILOT_TASKS > options.limit_s:
            count = options.at_least
    elapsed_s = run_noops(pool, count)
    pool.close()
    return {"tasks_per_s": count / elapsed_s, "tasks": count}


if __name__ == "__main__":
    main(measure, tasks=5000, at_least=5000, limit_s=30.0, executor="processes")
