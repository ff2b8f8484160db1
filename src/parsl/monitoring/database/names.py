"""What the numbers in a run's records stand for: apps, executors, managers."""

from __future__ import annotations

from parsl.eventlog import records


class RunNames:
    """The run, and the names behind its numbers, as far as records have defined them.

    Attributes:
        run: The first record of the log.
    """

    def __init__(self, run: records.RunBegan) -> None:
        self.run = run
        self._apps: list[str] = []
        self._executors: list[records.ExecutorFacts] = []
        self._managers: dict[tuple[int, int], records.ManagerJoined] = {}
        self._on_hosts: dict[tuple[int, str], records.ManagerJoined] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.run.run_id}, {len(self._apps)} apps>"

    def add_apps(self, record: records.Apps) -> None:
        """Take in more apps."""
        record.add_to(self._apps)

    def add_executors(self, record: records.Executors) -> None:
        """Take in more executors."""
        record.add_to(self._executors)

    def add_manager(self, record: records.ManagerJoined) -> None:
        """Take in a manager; its later registration replaces an earlier one."""
        self._managers[record.executor, record.number] = record
        self._on_hosts[record.executor, record.host] = record

    def app(self, number: int) -> str:
        """Return the name of an app; after damage to the log it may be unknown."""
        return self._apps[number] if number < len(self._apps) else records.unknown_app(number)

    def executor(self, number: int) -> str:
        """Return the label of an executor."""
        return records.executor_label(self._executors, number)

    def manager(self, executor: int, number: int) -> records.ManagerJoined | None:
        """Return the registration of a manager, if it is known."""
        return self._managers.get((executor, number))

    def manager_on(self, executor: int, host: str) -> records.ManagerJoined | None:
        """Return the latest manager of an executor on a host, if one is known."""
        return self._on_hosts.get((executor, host))

    def is_in_driver(self, executor: int) -> bool:
        """Whether an executor runs its tasks on the driver's host: it has no provider."""
        return executor < len(self._executors) and not self._executors[executor].provider
