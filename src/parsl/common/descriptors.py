"""How many descriptors a process may have open: a connection is one, a worker's channel is two.

The soft limit is 1,024 on most systems, for the sake of programs that use select(2); the hard one is often
much higher. A process of ours that has a connection for each of many nodes or workers takes what there is.
Tasks never see that: they come from a process that was forked before.
"""

from __future__ import annotations

import logging
import resource

from parsl.common.notices import warn_user
from parsl.errors import ConfigurationError

logger = logging.getLogger(__name__)

#: A process takes no more than that: nobody needs it, and some kernels make a table of the limit's size.
MAX_DESCRIPTORS = 1 << 20
#: What a process needs beside its connections: libraries, logs, and connections that come and go.
RESERVE = 48
#: What a manager has open for each of its workers.
PER_WORKER = 2


def raise_limit() -> int:
    """Let this process have as many descriptors as it may. Returns: how many that is."""
    soft, hard = limits()
    wanted = min(hard, MAX_DESCRIPTORS)
    if soft >= wanted:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    except (OSError, ValueError):
        return soft  # the system's own limit is lower still
    return wanted


def limits() -> tuple[int, int]:
    """This process's soft and hard limits; no limit is a large number."""
    soft, hard = (
        (1 << 62) if limit == resource.RLIM_INFINITY else limit
        for limit in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    return soft, hard


def room_for(limit: int, each: int = 1) -> int:
    """For how many connections a limit will do.

    Args:
        limit: how many descriptors a process may have.
        each: how many a connection takes.
    """
    return max(1, (limit - RESERVE) // each)


def require(workers: int) -> None:
    """Raise this process's limit to what a manager of so many workers needs.

    Raises: ConfigurationError when that is more than it may have.
    """
    limit = raise_limit()
    if workers > room_for(limit, PER_WORKER):
        raise ConfigurationError(
            f"{workers} workers need {workers * PER_WORKER + RESERVE} open files of their manager, which may "
            f"have {limit} (`ulimit -Hn`). At most {room_for(limit, PER_WORKER)} workers are possible: "
            "set max_workers_per_node, or have the hard limit raised (nofile in limits.conf) on the nodes"
        )


def too_many_managers(most: int) -> str:
    """Why the interchange does not want one more manager."""
    return (
        f"the interchange has {most} managers already, and no open files for more: its limit is "
        f"{limits()[0]}. Have the hard limit (`ulimit -Hn`, nofile in limits.conf) raised on the driver's "
        "host, or use fewer nodes"
    )


def warn_if_few(label: str, managers: int) -> None:
    """Tell the user if a run may get more managers than there can be connections.

    Args:
        label: of the executor.
        managers: how many it may get.
    """
    hard = min(limits()[1], MAX_DESCRIPTORS)
    if managers > room_for(hard):
        text = (
            f"Executor {label!r} may get {managers:,} managers (max_blocks times nodes_per_block), each with "
            f"a connection to this host, where a process may have {hard:,} open files (`ulimit -Hn`): enough "
            f"for {room_for(hard):,}. Those that come later will be refused. Have the hard limit raised "
            "(nofile in limits.conf), or lower max_blocks."
        )
        logger.warning("%s", text)
        warn_user(text, RuntimeWarning)
