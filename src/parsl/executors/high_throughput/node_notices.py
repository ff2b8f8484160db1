"""What users are told about nodes that are set aside: in the log, and the first time where they look."""

from __future__ import annotations

import logging

from parsl.executors.high_throughput.protocol import NodeNews
from parsl.notices import tell

logger = logging.getLogger(__name__)


class BadNodeWarning(UserWarning):
    """A node gets no tasks for a while, because workers end there under their tasks."""


def tell_of_node(label: str, news: NodeNews) -> None:
    """Tell of a node that is set aside, or used again.

    Args:
        label: the executor's.
        news: what has happened.
    """
    text = f"Executor {label}: {news.text}"
    logger.warning("%s", text)
    if news.is_loud:
        tell(text, BadNodeWarning)
