"""How much time a block's job has left: from the scheduler's variables, or those of the job script."""

from __future__ import annotations

from collections.abc import Mapping

#: Set by the job scripts of batch providers: when the job began, in seconds since the epoch, and how long it
#: may run, in seconds.
STARTED_VARIABLE = "PARSL_BLOCK_STARTED"
WALLTIME_VARIABLE = "PARSL_BLOCK_WALLTIME_S"
#: Set by Slurm: when it will end the job, in seconds since the epoch.
SLURM_END_VARIABLE = "SLURM_JOB_END_TIME"


def seconds_left(environment: Mapping[str, str], walltime_s: float | None, now_s: float) -> float | None:
    """Find out in how many seconds the job is ended that this process is part of.

    Args:
        environment: this process's.
        walltime_s: how long the provider says that a block may run, in seconds: it begins now at the latest,
            where nothing else is known. None if it does not say.
        now_s: the time, in seconds since the epoch.

    Returns: None if nobody knows. It is never more than a walltime, however wrong a node's clock is.
    """
    found = [
        left_s
        for left_s in (_by_slurm(environment, now_s), _by_job_script(environment, now_s))
        if left_s is not None
    ]
    return min(found) if found else walltime_s


def _by_slurm(environment: Mapping[str, str], now_s: float) -> float | None:
    end_s = _number(environment.get(SLURM_END_VARIABLE))
    return end_s - now_s if end_s is not None and end_s > now_s else None


def _by_job_script(environment: Mapping[str, str], now_s: float) -> float | None:
    started_s = _number(environment.get(STARTED_VARIABLE))
    walltime_s = _number(environment.get(WALLTIME_VARIABLE))
    if started_s is None or walltime_s is None:
        return None
    age_s = max(0.0, now_s - started_s)
    return walltime_s - age_s if age_s < walltime_s else None


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdigit() else None
