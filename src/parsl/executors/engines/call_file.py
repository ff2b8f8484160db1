"""The program of a task that an engine starts as a job: runs the call in a file.

``python -m parsl.executors.engines.call_file CALL OUTCOME``
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

#: Where engines pass the rank of a process in its job.
RANK_VARIABLES = ("FLUX_TASK_RANK", "RP_RANK")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the call in a file; the first process of a job writes its outcome into another one."""
    from parsl.executors.engines.remote_call import run_call

    call, outcome = sys.argv[1:] if arguments is None else arguments
    packed = run_call(Path(call).read_bytes())
    if all(os.environ.get(name, "0") == "0" for name in RANK_VARIABLES):
        unfinished = Path(f"{outcome}.unfinished")
        unfinished.write_bytes(packed)
        unfinished.rename(outcome)
    return 0


if __name__ == "__main__":
    sys.exit(main())
