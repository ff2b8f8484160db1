"""Loading a checkpoint of very many records."""

from __future__ import annotations

import os
import time

from benchmarks.workloads.harness import Options, Values, main, resident_bytes

#: Records written together.
BATCH = 10_000


def measure(options: Options) -> Values:
    """Write the records, load them, find one."""
    from parsl.dataflow.checkpoints.records import encode_record
    from parsl.dataflow.memoization import BasicMemoizer

    os.makedirs("runinfo/000/checkpoint")
    with open("runinfo/000/checkpoint/tasks.pkl", "wb") as file:
        for start in range(0, options.records, BATCH):
            numbers = range(start, start + BATCH)
            file.write(b"".join(encode_record(f"{number:032x}", number) for number in numbers))
    before, started = resident_bytes(), time.perf_counter()
    loaded = BasicMemoizer().load_checkpoints(["runinfo/000/checkpoint"])
    elapsed_s = time.perf_counter() - started
    last = options.records - 1
    if loaded[f"{last:032x}"].result() != last:
        raise SystemExit("the last record is not what was written")
    return {"seconds": elapsed_s, "growth_mb": (resident_bytes() - before) / 1e6}


if __name__ == "__main__":
    main(measure, records=1_000_000)
