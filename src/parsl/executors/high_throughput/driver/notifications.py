"""What the executor notifies its observer of, made from the messages of the interchange."""

from __future__ import annotations

import time

from parsl.executors.high_throughput.driver.tasks import TaskTable
from parsl.executors.high_throughput.wire.protocol import (
    Dispatched,
    ManagerGone,
    ManagerInfo,
    ManagerJoined,
    Measured,
    NodeChange,
    Started,
)
from parsl.vocabulary.run_facts import ManagerFacts
from parsl.vocabulary.run_observer import RunObserver

#: A manager may have a number although the interchange was lost before the driver received it. So the numbers
#: that a replacement gives begin this far above the known ones.
NUMBER_GAP = 1000


class Notifications:
    """Notifies the observer of an executor. Owned by the I/O thread.

    Args:
        label: The executor's label.
        observer: What to notify.
        tasks: The executor's tasks that have not ended.
    """

    def __init__(self, label: str, observer: RunObserver, tasks: TaskTable) -> None:
        self._label = label
        self._observer = observer
        self._tasks = tasks
        #: The numbers of the connected managers.
        self._numbers: dict[str, int] = {}
        self._highest = -1

    def __repr__(self) -> str:
        return f"<Notifications {self._label} managers={len(self._numbers)}>"

    @property
    def next_number(self) -> int:
        """The number from which a replacement of a lost interchange counts managers."""
        return self._highest + NUMBER_GAP

    def manager_joined(self, joined: ManagerJoined) -> None:
        info = joined.info
        self._numbers[info.manager] = info.number
        self._highest = max(self._highest, info.number)
        self._observer.manager_joined(self._label, _facts(info, joined))

    def manager_gone(self, gone: ManagerGone) -> None:
        if (number := self._numbers.pop(gone.manager, None)) is not None:
            self._observer.manager_gone(self._label, number, gone.reason)

    def node_changed(self, change: NodeChange) -> None:
        self._observer.node_changed(self._label, change.host, change.text)

    def tasks_dispatched(self, dispatched: Dispatched) -> None:
        self._observer.tasks_dispatched(self._label, dispatched.manager, dispatched.held)

    def tasks_started(self, started: Started) -> None:
        """Notify of long tasks; those that have ended in the meantime are left out."""
        now_s = time.time()
        pending = self._tasks.pending
        found = [
            (future, now_s - task.ran_s, task.manager, task.worker)
            for task_id, task in started.tasks.items()
            if (future := pending.get(task_id)) is not None
        ]
        if found:
            self._observer.tasks_started(self._label, found)

    def resource_samples(self, measured: Measured) -> None:
        """Notify of samples of running tasks; those that have ended in the meantime are left out."""
        now_s = time.time()
        pending = self._tasks.pending
        futures = ((pending.get(task_id), sample) for task_id, sample in measured.samples.items())
        if found := [(future, now_s, sample) for future, sample in futures if future is not None]:
            self._observer.resource_samples(self._label, found)


def _facts(info: ManagerInfo, joined: ManagerJoined) -> ManagerFacts:
    node = joined.node
    return ManagerFacts(
        number=info.number,
        manager=info.manager,
        block=info.block,
        host=info.host,
        pid=joined.pid,
        workers=info.workers,
        cpu_count=node.cpus,
        total_memory=node.memory,
        python_version=info.python_version,
        accelerators=tuple(node.accelerators),
    )
