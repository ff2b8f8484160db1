"""The names under which the plugin in the scheduler reports to its client."""

from __future__ import annotations


def outcome_topic(client: str) -> str:
    """Return the topic of outcomes of tasks, see :func:`worker_topic`."""
    return f"parsl-outcomes-{client}"


def worker_topic(client: str) -> str:
    """Return the topic of changes of workers.

    Args:
        client: The id of the client.
    """
    return f"parsl-workers-{client}"
