"""Machines that run nothing, for tests of requests alone: with the methods of ``ProcessHost``."""

from __future__ import annotations


class IdleHost:
    """Keeps the names of machines, and what they would run."""

    def __init__(self) -> None:
        self._running: dict[str, str] = {}
        self._consoles: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<IdleHost {len(self._running)} running>"

    def start_machine(self, name: str, user_data: str) -> None:
        self._running[name] = user_data

    def shut_down(self, name: str, console: str = "") -> None:
        """End a machine as its script would, with something on its console."""
        del self._running[name]
        self._consoles[name] = console

    def kill(self, name: str) -> bool:
        return self._running.pop(name, None) is not None

    def running(self) -> list[str]:
        return list(self._running)

    def console(self, name: str) -> str:
        return self._consoles.get(name, "")

    def close(self) -> None:
        self._running.clear()
