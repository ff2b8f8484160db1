"""Names in the scheduler: the keys of tasks, and the topics under which it reports to its client."""

from __future__ import annotations

from typing import Any


def task_key(function: str, client: str, number: int) -> tuple[str, str, str]:
    """Return the key of a task. The scheduler takes equal keys of two clients for one task.

    Args:
        function: The name of the function, by which Dask groups tasks.
        client: The id of the client.
        number: The number of the task, unique within the client's process.
    """
    return function, "parsl", f"{client}-{number}"


def is_task_key(key: Any) -> bool:
    """Return whether a key is that of a task of Parsl, of whichever client."""
    return type(key) is tuple and len(key) == 3 and key[1] == "parsl"


def outcome_topic(client: str) -> str:
    """Return the topic of outcomes of tasks, see :func:`worker_topic`."""
    return f"parsl-outcomes-{client}"


def worker_topic(client: str) -> str:
    """Return the topic of changes of workers.

    Args:
        client: The id of the client.
    """
    return f"parsl-workers-{client}"
