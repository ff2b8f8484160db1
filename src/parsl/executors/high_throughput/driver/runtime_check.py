"""Whether a task that says how long it takes can ever be run."""

from __future__ import annotations

from parsl.executors.errors import InvalidResourceSpecification

_KEY = "runtime_s"


def check_runtime(runtime_s: float, walltime_s: float | None) -> None:
    """Refuse a time that no block has.

    Args:
        runtime_s: How long the task takes, in seconds, as its user says.
        walltime_s: How long a block may run, in seconds; None if nobody knows.

    Raises:
        InvalidResourceSpecification: It is no time, or more than a block ever has.
    """
    if not 0 < runtime_s < float("inf"):
        raise InvalidResourceSpecification({_KEY}, f"{_KEY} must be more than 0 seconds, not {runtime_s!r}.")
    if walltime_s is not None and runtime_s > walltime_s:
        raise InvalidResourceSpecification(
            {_KEY},
            f"The task takes {runtime_s:g} s, but a block has {walltime_s:g} s: set a longer walltime of the "
            f"provider, or a shorter {_KEY}.",
        )
