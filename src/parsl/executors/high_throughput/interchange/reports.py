"""What the interchange reports to the driver about managers: their activity, and their installed packages."""

from __future__ import annotations

from parsl.executors.high_throughput.interchange.driver_link import DriverLink
from parsl.executors.high_throughput.interchange.manager import Manager
from parsl.executors.high_throughput.interchange.state import InterchangeState
from parsl.executors.high_throughput.wire.protocol import Answer, Query

#: Changes in the activity of managers are reported at most this often (seconds), and per 1,000 managers.
ACTIVITY_PERIOD_S = 0.5
#: How long a query for packages waits for the slowest manager (seconds).
PATIENCE_S = 10.0


class Reports:
    """Answers to queries, and reports of changes. Owned by the interchange's loop. No clock in here."""

    def __init__(self, state: InterchangeState, driver: DriverLink) -> None:
        self._state = state
        self._driver = driver
        self._has_changes = False
        self._next_activity_s = 0.0
        self._without_time = 0
        #: Queries for packages: their numbers, deadlines, and the managers that have to reply first.
        self.surveys: list[tuple[int, float, list[Manager]]] = []
        #: Queries that came before it was known again which managers there are.
        self._postponed: list[Query] = []

    def __repr__(self) -> str:
        return f"<Reports surveys={len(self.surveys)} postponed={len(self._postponed)}>"

    @property
    def due_s(self) -> float:
        """When the next report on activity is due; infinity if there is nothing to report."""
        may_report = self._has_changes and self._state.restoration is None
        return self._next_activity_s if may_report else float("inf")

    def changed(self) -> None:
        self._has_changes = True

    def tasks_changed(self) -> None:
        """Report activity soon if tasks may wait that no manager has the time for."""
        self._has_changes = self._has_changes or self._state.matching.queue.has_timed

    def report_activity(self, now_s: float) -> None:
        self._has_changes = False
        self._without_time = self._state.count_without_time(now_s)
        self._next_activity_s = now_s + ACTIVITY_PERIOD_S * (1 + len(self._state.managers) / 1000)
        self._driver.send(Answer(0, self._state.infos(now_s), without_time=self._without_time))

    def query(self, query: Query, now_s: float) -> list[Manager]:
        """Take a query of the driver, and return the managers that have to report their packages first."""
        if self._state.restoration is not None:
            self._postponed.append(query)
            return []
        if query.what != "packages":
            self._driver.send(Answer(query.number, managers=self._state.infos(now_s)))
            return []
        awaited = [manager for manager in self._state.managers.values() if manager.packages is None]
        self.surveys.append((query.number, now_s + PATIENCE_S, awaited))
        self.answer_surveys(now_s)
        return awaited

    def resume(self, now_s: float) -> list[Manager]:
        """Take the postponed queries, now that the managers are known again; see `query`."""
        postponed, self._postponed = self._postponed, []
        return [manager for query in postponed for manager in self.query(query, now_s)]

    def answer_surveys(self, now_s: float) -> None:
        """Answer the queries for packages that are complete or have waited long enough."""
        surveys, self.surveys = self.surveys, []
        for number, deadline_s, awaited in surveys:
            if now_s < deadline_s and any(each.packages is None and not each.is_gone for each in awaited):
                self.surveys.append((number, deadline_s, awaited))
            else:
                managers = self._state.managers.values()
                found = {each.name: each.packages for each in managers if each.packages is not None}
                self._driver.send(Answer(number, packages=found))

    def time_passed(self, now_s: float) -> None:
        """Answer what has waited too long, and note whether tasks have run out of time meanwhile."""
        self.answer_surveys(now_s)
        if self._state.count_without_time(now_s) != self._without_time:
            self._has_changes = True
