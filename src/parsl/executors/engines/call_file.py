"""The program of a task that an engine starts as a job: runs the call in a file.

``python -m parsl.executors.engines.call_file CALL OUTCOME``
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

#: Where engines pass the rank of a process in its job.
RANK_VARIABLES = ("FLUX_TASK_RANK", "RP_RANK")


def run_call_file(call: str, outcome: str, writes_outcome: bool = True) -> None:
    """Run the call in a file.

    Args:
        call: The path of the call.
        outcome: The path for its outcome, which is complete as soon as it exists.
        writes_outcome: Whether to write the outcome.
    """
    from parsl.executors.engines.remote_call import run_call

    with open(call, "rb") as file:  # pathlib takes longer to import than Python to start
        packed = run_call(file.read())
    if writes_outcome:
        unfinished = f"{outcome}.unfinished"
        with open(unfinished, "wb") as file:
            file.write(packed)
        os.rename(unfinished, outcome)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the call in a file; the first process of a job writes its outcome into another one."""
    call, outcome = sys.argv[1:] if arguments is None else arguments
    run_call_file(call, outcome, all(os.environ.get(name, "0") == "0" for name in RANK_VARIABLES))
    return 0


if __name__ == "__main__":
    sys.exit(main())
