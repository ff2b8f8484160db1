"""The names under which the plugin in the scheduler reports to its client."""

from __future__ import annotations


def worker_topic(client: str) -> str:
    """Return the topic of changes of workers.

    Args:
        client: The id of the client.
    """
    return f"parsl-workers-{client}"
