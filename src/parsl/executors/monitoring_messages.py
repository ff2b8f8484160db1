"""What a program without a kernel learns of an executor: messages in a queue that it has provided.

Globus Compute's endpoint is such a program. With a kernel, the same facts are in the event log of the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from parsl.vocabulary.job_states import JobState
from parsl.vocabulary.message_type import MessageType
from parsl.vocabulary.run_facts import BlockFacts, ManagerFacts
from parsl.vocabulary.run_observer import RunObserver

Message = tuple[MessageType, Any]


class MessageQueue(Protocol):
    """Where messages go: a queue of Python's, of this process or of several."""

    def put(self, message: Message, /) -> None: ...


class MessageObserver(RunObserver):
    """Puts a message into a queue for each change of a manager, of its tasks, or of a block.

    Args:
        messages: The queue.
        run_id: The identifier of the run; None without one.
    """

    observes_dispatch = True

    def __init__(self, messages: MessageQueue, run_id: str | None = None) -> None:
        self._messages = messages
        self._run_id = run_id
        self._managers: dict[int, ManagerFacts] = {}
        #: The state and the job of each block, as they were sent.
        self._blocks: dict[str, tuple[str, str | None]] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._managers)} managers>"

    def manager_joined(self, label: str, manager: ManagerFacts) -> None:
        """Send the node of a manager."""
        self._managers[manager.number] = manager
        self._put_node(manager, tasks=[])

    def manager_gone(self, label: str, number: int, reason: str) -> None:
        """Send that the node of a manager is not active any more."""
        if (manager := self._managers.pop(number, None)) is not None:
            self._put_node(manager, tasks=[], is_active=False)

    def tasks_dispatched(self, label: str, number: int, held: Sequence[int]) -> None:
        """Send the tasks that a manager holds."""
        if (manager := self._managers.get(number)) is not None:
            self._put_node(manager, tasks=list(held))

    def block_changed(self, label: str, block: BlockFacts) -> None:
        """Send the state of a block, once it has a job."""
        state = (block.status, block.job_id)
        is_submitted = block.job_id is not None or block.status != JobState.PENDING.name
        if not is_submitted or self._blocks.get(block.block) == state:
            return
        self._blocks[block.block] = state
        moment = datetime.fromtimestamp(block.moment_s)
        row = block_message(self._run_id, label, block.block, block.job_id, block.status, moment)
        self._messages.put((MessageType.BLOCK_INFO, [row]))

    def _put_node(self, manager: ManagerFacts, *, tasks: list[int], is_active: bool = True) -> None:
        now = datetime.now()
        content = {
            "run_id": self._run_id,
            "uid": manager.manager,
            "block_id": manager.block,
            "hostname": manager.host,
            "worker_count": manager.workers,
            "cpu_count": manager.cpu_count,
            "total_memory": manager.total_memory,
            "python_v": manager.python_version,
            "python_version": manager.python_version,
            "active": is_active,
            "tasks": tasks,
            "timestamp": now,
            "last_heartbeat": now,
        }
        self._messages.put((MessageType.NODE_INFO, content))


def block_message(
    run_id: str | None, label: str, block: str, job_id: object, status: str, moment: datetime
) -> dict[str, Any]:
    """Return the content of a message about a block: a row of the table ``block``."""
    return {
        "run_id": run_id,
        "status": status,
        "executor_label": label,
        "job_id": None if job_id is None else str(job_id),
        "block_id": block,
        "timestamp": moment,
    }
