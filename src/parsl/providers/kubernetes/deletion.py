"""Deletes the Jobs of a run; a request that is refused does not keep the others from being sent."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from parsl.providers.api.failure import ServiceError
from parsl.providers.kubernetes.cluster import Cluster
from parsl.providers.kubernetes.manifests import selector

#: The pause between two looks at the Jobs of a run, in seconds.
PAUSE_S = 2.0
#: How many looks are made at most.
MAX_LOOKS = 20
#: How many times in a row there must be no Job: the last request of a killed driver may still be on its way.
QUIET_LOOKS = 2


class Deletion(NamedTuple):
    """What has become of the Jobs of a run."""

    deleted: list[str]  #: their names
    problems: list[ServiceError]  #: why others may be left


def delete_run(cluster: Cluster, run: str) -> Deletion:
    """Request once that every Job of a run is deleted, with everything that belongs to it.

    Args:
        cluster: The cluster.
        run: The value of the label ``parsl-run``.
    """
    deleted: list[str] = []
    problems: list[ServiceError] = []
    try:
        jobs = [job["metadata"] for job in cluster.jobs(selector(run))]
    except ServiceError as error:
        return Deletion([], [error])
    for name in [str(job["name"]) for job in jobs if "deletionTimestamp" not in job]:
        try:
            cluster.delete_job(name)
        except ServiceError as error:
            problems.append(error)
        else:
            deleted.append(name)
    return Deletion(deleted, problems)


def sweep(cluster: Cluster, run: str, *, sleep: Callable[[float], None] = time.sleep) -> Deletion:
    """Delete the Jobs of a run, and look again until there are none.

    Args:
        cluster: The cluster.
        run: The value of the label ``parsl-run``.
        sleep: Waits for a number of seconds.

    Returns:
        The Jobs that were deleted, and the problems of the last look.
    """
    deleted: dict[str, None] = {}
    problems: list[ServiceError] = []
    quiet = 0
    for look in range(MAX_LOOKS):
        if look:
            sleep(PAUSE_S)
        names, problems = delete_run(cluster, run)
        deleted.update(dict.fromkeys(names))
        quiet = 0 if names or problems else quiet + 1
        if quiet == QUIET_LOOKS or (not names and _are_lasting(problems)):
            break
    return Deletion(list(deleted), problems)


def _are_lasting(problems: list[ServiceError]) -> bool:
    """Return whether another look would only get the same answers."""
    return bool(problems) and all(error.kind.is_lasting for error in problems)
