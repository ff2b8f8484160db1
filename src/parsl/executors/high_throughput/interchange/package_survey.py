"""The question which packages are installed where the managers run: asked once of each, answered together."""

from __future__ import annotations

#: How long a question waits for the slowest manager, in seconds.
PATIENCE_S = 10.0


class PackageSurvey:
    """Owned by the interchange's loop. No clock in here."""

    def __init__(self) -> None:
        #: What each manager has answered.
        self.found: dict[str, dict[str, str]] = {}
        self._questions: list[tuple[int, float]] = []
        self._awaited: set[bytes] = set()

    def __repr__(self) -> str:
        return f"<PackageSurvey questions={len(self._questions)} awaited={len(self._awaited)}>"

    def __bool__(self) -> bool:
        """Whether somebody waits for an answer."""
        return bool(self._questions)

    def ask(self, number: int, managers: list[bytes], now_s: float) -> list[bytes]:
        """A question has come. Returns: the managers that must be asked for it."""
        self._questions.append((number, now_s + PATIENCE_S))
        unknown = [name for name in managers if name.decode() not in self.found]
        self._awaited.update(unknown)
        return unknown

    def answered(self, name: bytes, versions: dict[str, str]) -> None:
        """A manager has answered."""
        self.found[name.decode()] = versions
        self._awaited.discard(name)

    def forget(self, name: bytes) -> None:
        """A manager is gone."""
        self.found.pop(name.decode(), None)
        self._awaited.discard(name)

    def ready(self, now_s: float) -> list[int]:
        """The numbers of the questions that can be answered now, or must be."""
        if not self._questions:
            return []
        ready = [number for number, until_s in self._questions if not self._awaited or now_s >= until_s]
        self._questions = [question for question in self._questions if question[0] not in ready]
        return ready
