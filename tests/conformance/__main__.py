"""Run behaviours on this package and on upstream, and print the differences.

    PARSL_UPSTREAM=/path/to/venv/bin/python python -m tests.conformance              all of them
    PARSL_UPSTREAM=/path/to/venv/bin/python python -m tests.conformance apps memo    some, by parts of names

Without the variable, only this package runs. The exit code is 1 if something was printed that is not
recorded.
"""

from __future__ import annotations

import os
import sys

from tests.conformance.behaviour import UPSTREAM, Behaviour, difference, read_all, run


def main(parts: list[str]) -> int:
    """Compare the behaviours whose names contain one of these parts."""
    chosen = [one for one in read_all() if not parts or any(part in one.name for part in parts)]
    unrecorded = sum(not _compare(one, os.environ.get(UPSTREAM)) for one in chosen)
    deliberate = sum(one.theirs is not None for one in chosen)
    print(f"{len(chosen)} behaviours, {deliberate} deliberate differences, {unrecorded} not as recorded")
    return 1 if unrecorded else 0


def _compare(behaviour: Behaviour, upstream: str | None) -> bool:
    """Run one on each side, print what differs, and return whether both are as recorded."""
    here = run(behaviour, sys.executable)
    found = [("this package", behaviour.ours, here)]
    if upstream:
        found.append(("upstream", behaviour.upstream, run(behaviour, upstream)))
    verdict = "differs on purpose" if behaviour.theirs is not None else "same"
    print(f"{behaviour.name}: {verdict} - {behaviour.description}", flush=True)
    is_recorded = True
    for side, expected, made in found:
        if changes := difference(expected, made.printed):
            is_recorded = False
            print(f"  {side} is not as recorded:\n{changes}\n{made.log[-2000:]}", flush=True)
    if behaviour.theirs is not None:
        print(
            "\n".join(f"  {line}" for line in difference(behaviour.upstream, here.printed).splitlines()[2:])
        )
    return is_recorded


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
