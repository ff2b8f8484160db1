"""The limit of open descriptors, which a process with many connections raises for itself.

Tasks keep the old limit, because their fork server is forked earlier: programs with select(2) need it.
"""

from __future__ import annotations

import logging
import resource

from parsl.common.notices import warn_user
from parsl.errors import ConfigurationError

logger = logging.getLogger(__name__)

#: A process requests no more: some kernels allocate a table of the limit's size.
MAX_DESCRIPTORS = 1 << 20
#: Descriptors for other uses: libraries, logs, and short connections.
RESERVE = 48
#: Descriptors of a manager for each of its workers.
PER_WORKER = 2


def raise_limit() -> int:
    """Raise this process's soft limit as far as possible. Return the limit."""
    soft, hard = limits()
    target = min(hard, MAX_DESCRIPTORS)
    if soft >= target:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    except (OSError, ValueError):
        return soft  # the system has a lower limit of its own
    return target


def limits() -> tuple[int, int]:
    """Return this process's soft and hard limits, with a large number for no limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    infinite = resource.RLIM_INFINITY
    return (1 << 62 if soft == infinite else soft), (1 << 62 if hard == infinite else hard)


def room_for(limit: int, each: int = 1) -> int:
    """Return how many connections fit a limit, if each takes `each` descriptors."""
    return max(1, (limit - RESERVE) // each)


def require(workers: int) -> None:
    """Raise this process's limit to what a manager of this many workers needs, or refuse."""
    limit = raise_limit()
    if workers > room_for(limit, PER_WORKER):
        raise ConfigurationError(
            f"{workers} workers need {workers * PER_WORKER + RESERVE} open files of their manager, which may "
            f"have {limit} (`ulimit -Hn`). At most {room_for(limit, PER_WORKER)} workers are possible: "
            "set max_workers_per_node, or have the hard limit raised (nofile in limits.conf) on the nodes"
        )


def too_many_managers(number: int) -> str:
    """Explain why the interchange refuses one more manager."""
    return (
        f"the interchange already has {number} managers, and no open files for more: its limit is "
        f"{limits()[0]}. Have the hard limit (`ulimit -Hn`, nofile in limits.conf) raised on the driver's "
        "host, or use fewer nodes"
    )


def warn_if_few(label: str, managers: int) -> None:
    """Warn the user if an executor may get more managers than it can have connections."""
    hard = min(limits()[1], MAX_DESCRIPTORS)
    if managers > room_for(hard):
        text = (
            f"Executor {label!r} may get {managers:,} managers (max_blocks times nodes_per_block), each with "
            f"a connection to this host, where a process may have {hard:,} open files (`ulimit -Hn`): enough "
            f"for {room_for(hard):,}. Later managers will be refused. Have the hard limit raised "
            "(nofile in limits.conf), or lower max_blocks."
        )
        logger.warning("%s", text)
        warn_user(text, RuntimeWarning)
