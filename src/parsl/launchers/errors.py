"""Errors of launchers."""

from __future__ import annotations

from parsl.vocabulary.provider_errors import ExecutionProviderException


class BadLauncher(ExecutionProviderException, TypeError):
    """A provider was given something that is not a launcher.

    Args:
        launcher: What it was given.
    """

    def __init__(self, launcher: object) -> None:
        super().__init__(launcher)
        self.launcher = launcher

    def __str__(self) -> str:
        return f"launcher is {self._shown()}; expected an instance of a parsl.launchers.base.Launcher."

    def _shown(self) -> str:
        if isinstance(self.launcher, type):
            return f"the class {self.launcher.__name__} (call it to make an instance)"
        return f"{self.launcher!r} ({type(self.launcher).__name__})"
