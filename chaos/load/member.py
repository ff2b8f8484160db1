"""One simulated manager: real decisions and a real connection, and workers that only let time pass."""

from __future__ import annotations

from collections import deque
from typing import Any

from parsl.executors.high_throughput.manager.state import ManagerState, Worker
from parsl.executors.high_throughput.wire.protocol import (
    DONE,
    HeldTasks,
    Packages,
    Register,
    Result,
    Results,
    Task,
)
from parsl.executors.high_throughput.wire.protocol import PROTOCOL_VERSION as PROTOCOL
from parsl.version import VERSION


class Member:
    """Owned by its fleet's loop, which has the clock.

    Args:
        number: Which of the machine's managers it is.
        block: The block that it belongs to.
        workers: How many workers it simulates.
        sock: Its connection.
    """

    __slots__ = (
        "_results",
        "_serial",
        "_unacknowledged",
        "block",
        "heard_at",
        "is_dead",
        "name",
        "sock",
        "state",
        "tasks",
    )

    def __init__(self, number: int, block: str, workers: int, sock: Any) -> None:
        self.name = f"node{number:05d}"
        self.block = block
        self.sock = sock
        self.state = ManagerState(workers, 0)
        for worker in self.state.workers:
            worker.pid = 1 + worker.rank
        #: What is to be sent, and what was sent and may not have got to the driver.
        self._results: list[Result] = []
        self._unacknowledged: deque[Results] = deque()
        self._serial = 0
        self.is_dead = False
        self.heard_at = 0.0
        self.tasks = 0

    def __repr__(self) -> str:
        return f"<Member {self.name} {self.state!r}>"

    def introduction(self, python_version: str) -> Register:
        workers = len(self.state.workers)
        return Register(
            PROTOCOL, self.name, VERSION, python_version, self.name, self.block, 1, workers, workers
        )

    def accept(self, tasks: list[Task], now_s: float) -> list[Worker]:
        """Take tasks. Returns: the workers in which one begins now."""
        self.tasks += len(tasks)
        self.state.add(tasks)
        return self._begun(None, now_s)

    def finish(self, worker: Worker, run_s: float, now_s: float) -> list[Worker]:
        """A worker's task is done; its result is the pickled arguments. Returns: the workers as above."""
        task = worker.given[0]
        result = Result(task.id, DONE, task.payload, run_s=run_s)
        self.state.finish(worker, result, now_s)
        self._results.append(result)
        goes_on = [worker] if worker.given else []
        return goes_on + self._begun([worker], now_s)

    def _begun(self, workers: list[Worker] | None, now_s: float) -> list[Worker]:
        return [worker for worker, task in self.state.assign(now_s, workers) if worker.given[0] is task]

    def take_results(self) -> Results:
        """What is to be sent now."""
        results, self._results = self._results, []
        self._serial += 1
        self._unacknowledged.append(Results(results, self.state.capacity, self._serial))
        return self._unacknowledged[-1]

    def acknowledge(self, serial: int) -> None:
        """The results up to this number have got to the driver."""
        while self._unacknowledged and self._unacknowledged[0].serial <= serial:
            self._unacknowledged.popleft()

    def held(self, number: int) -> HeldTasks:
        """The answer to the question of that number."""
        return HeldTasks(number, self.state.held_ids())

    @staticmethod
    def packages() -> Packages:
        return Packages({"parsl": VERSION})
