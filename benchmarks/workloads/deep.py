"""What DEEP dependency resolution costs for a long list in which there is no future."""

from __future__ import annotations

import time
from statistics import median

from benchmarks.workloads.harness import Options, Values, main


def measure(options: Options) -> Values:
    """Look for futures in the list, and put it together again, as for the argument of one task."""
    from parsl.dataflow.dependency_resolvers import DEEP_DEPENDENCY_RESOLVER

    values = list(range(options.values))
    durations = []
    for _ in range(options.repeats):
        started = time.perf_counter()
        DEEP_DEPENDENCY_RESOLVER.traverse_to_gather(values)
        DEEP_DEPENDENCY_RESOLVER.traverse_to_unwrap(values)
        durations.append(time.perf_counter() - started)
    return {"ms": 1e3 * median(durations)}


if __name__ == "__main__":
    main(measure, values=100_000, repeats=9)
