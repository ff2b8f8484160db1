"""The program of tasks that an engine starts as a job: runs the calls in files, one after another.

``python -m parsl.executors.engines.call_file CALL OUTCOME [CALL OUTCOME ...]``

If calls take longer than expected, those behind them are not started, and have empty files as outcomes. If
the process ends early, the call that it was running and those behind it have no outcome.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from time import monotonic

#: What starts this program faster: with ``-m``, Python imports runpy first.
ARGUMENTS = ("-c", f"import sys; from {__name__} import main; sys.exit(main())")
#: Where engines pass the rank of a process in its job.
RANK_VARIABLES = ("FLUX_TASK_RANK", "RP_RANK")


def run_call_file(call: str, outcome: str, writes_outcome: bool = True) -> float:
    """Run the call in a file.

    Args:
        call: The path of the call.
        outcome: The path for its outcome, which is complete as soon as it exists.
        writes_outcome: Whether to write the outcome.

    Returns:
        How long the function has run, in seconds.
    """
    from parsl.executors.engines.remote_call import run_packed

    with open(call, "rb") as file:  # pathlib takes longer to import than Python to start
        ran = run_packed(file.read())
    if writes_outcome:
        _write(outcome, ran.packed)
    return ran.function_s


def _write(path: str, content: bytes) -> None:
    unfinished = f"{path}.unfinished"
    with open(unfinished, "wb") as file:
        file.write(content)
    os.rename(unfinished, path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the calls in files; the first process of a job writes their outcomes into others."""
    from parsl.executors.engines.remote_call import CALLS_LIMIT_S

    paths = sys.argv[1:] if arguments is None else arguments
    writes_outcome = all(os.environ.get(name, "0") == "0" for name in RANK_VARIABLES)
    spent_s = 0.0
    for number in range(0, len(paths), 2):
        call, outcome = paths[number : number + 2]
        if spent_s < CALLS_LIMIT_S:
            start_s = monotonic()
            function_s = run_call_file(call, outcome, writes_outcome)
            # The first call imports what the others need as well: only its function counts.
            spent_s += monotonic() - start_s if number else function_s
        elif writes_outcome:
            _write(outcome, b"")
    return 0


if __name__ == "__main__":
    sys.exit(main())
