"""A simulated manager: real decisions, a real connection, and workers whose tasks only take time."""

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
from parsl.vocabulary.run_observer import pack_usage


class Member:
    """A manager without processes. The loop of its fleet owns it, and has the clock.

    Args:
        number: The number of the manager in the machine.
        block: The block of the manager.
        workers: The number of simulated workers.
        sock: The connection to the interchange.
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
        #: Results to send, and results that the driver has not acknowledged.
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
        """Accept tasks. Returns: the workers in which one begins now."""
        self.tasks += len(tasks)
        self.state.add(tasks)
        return self._begun(None, now_s)

    def finish(self, worker: Worker, run_s: float, now_s: float) -> list[Worker]:
        """Complete a task with its pickled arguments. Returns: the workers in which one begins now."""
        task = worker.given[0]
        result = Result(task.id, DONE, task.payload, usage=pack_usage(run_s, run_s, -1, -1, -1))
        self.state.finish(worker, result, now_s)
        self._results.append(result)
        goes_on = [worker] if worker.given else []
        return goes_on + self._begun([worker], now_s)

    def _begun(self, workers: list[Worker] | None, now_s: float) -> list[Worker]:
        return [worker for worker, task in self.state.assign(now_s, workers) if worker.given[0] is task]

    def take_results(self) -> Results:
        """Return the results to send now."""
        results, self._results = self._results, []
        self._serial += 1
        self._unacknowledged.append(Results(results, self.state.capacity, self._serial))
        return self._unacknowledged[-1]

    def acknowledge(self, serial: int) -> None:
        """Forget the results up to this serial number: the driver has them."""
        while self._unacknowledged and self._unacknowledged[0].serial <= serial:
            self._unacknowledged.popleft()

    def held(self, number: int) -> HeldTasks:
        """Return the answer to the request with this number."""
        return HeldTasks(number, self.state.held_ids())

    @staticmethod
    def packages() -> Packages:
        return Packages({"parsl": VERSION})
