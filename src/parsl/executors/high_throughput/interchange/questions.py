"""The driver's questions to the interchange: which managers are there, what is installed where they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from parsl.executors.high_throughput.interchange.package_survey import PackageSurvey
from parsl.executors.high_throughput.interchange.state import InterchangeState
from parsl.executors.high_throughput.wire.protocol import Answer, Packages, Query, ReportPackages, encode


class Questions:
    """Owned by the interchange's loop. No clock in here.

    Args:
        state: the managers.
        say: called with what the driver is to hear.
        tell: called with a manager's name and what it is to hear.
    """

    def __init__(
        self,
        state: InterchangeState,
        say: Callable[[Any], None],
        tell: Callable[[bytes, list[Any]], None],
    ) -> None:
        self._state = state
        self._say = say
        self._tell = tell
        self._packages = PackageSurvey()
        #: Those that cannot be answered before it is known again which managers there are.
        self._postponed: list[Query] = []

    def __repr__(self) -> str:
        return f"<Questions postponed={len(self._postponed)} {self._packages!r}>"

    @property
    def wait_for_managers(self) -> bool:
        """Whether some cannot be answered before managers have said something, or not in time."""
        return bool(self._packages)

    def ask(self, query: Query, now_s: float) -> None:
        """The driver has a question."""
        if self._state.restoration is not None:
            self._postponed.append(query)
        elif query.what == "packages":
            for name in self._packages.ask(query.number, list(self._state.managers), now_s):
                self._tell(name, [encode(ReportPackages())])
            self.look(now_s)
        else:
            self._say(Answer(query.number, managers=self._state.infos(now_s)))

    def ask_postponed(self, now_s: float) -> None:
        """It is known again which managers there are."""
        postponed, self._postponed = self._postponed, []
        for query in postponed:
            self.ask(query, now_s)

    def answered(self, name: bytes, message: Packages, now_s: float) -> None:
        """A manager has said what is installed."""
        self._packages.answered(name, message.versions)
        self.look(now_s)

    def forget(self, name: bytes) -> None:
        """A manager is gone."""
        self._packages.forget(name)

    def look(self, now_s: float) -> None:
        """Answer what can be answered now, or has waited long enough."""
        for number in self._packages.ready(now_s):
            self._say(Answer(number, packages=self._packages.found))
