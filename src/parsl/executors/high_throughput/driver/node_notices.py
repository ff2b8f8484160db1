"""What users are told about nodes that do no work: in the log, and the first time where they look."""

from __future__ import annotations

import logging

from parsl.common.notices import warn_user
from parsl.executors.high_throughput.wire.protocol import ManagerRefused, NodeChange

logger = logging.getLogger(__name__)


class BadNodeWarning(UserWarning):
    """A node gets no tasks for a while, because workers end there under their tasks."""


class ManagerRefusedWarning(UserWarning):
    """A block or a node does no work, because its manager runs other versions than the driver."""


def tell_of_node(label: str, news: NodeChange) -> None:
    """Tell of a node that is set aside, or used again.

    Args:
        label: the executor's.
        news: what has happened.
    """
    text = f"Executor {label}: {news.text}"
    logger.warning("%s", text)
    if news.is_warning:
        warn_user(text, BadNodeWarning)


def tell_of_refusal(label: str, refused: ManagerRefused, is_first: bool) -> None:
    """Tell of a manager that was refused, where others serve.

    Args:
        label: the executor's.
        refused: which one, and why.
        is_first: whether it is the executor's first.
    """
    text = (
        f"Executor {label} goes on without a manager that was refused: that of block {refused.block} on "
        f"{refused.host} runs {refused.manager_version}, the driver {refused.driver_version}. Its node does "
        "no work. Start both from the same environment: check worker_init and launch_cmd"
    )
    logger.warning("%s", text)
    if is_first:
        once = f"{text}. (This is said once; the log has the others, if there are any.)"
        warn_user(once, ManagerRefusedWarning)
