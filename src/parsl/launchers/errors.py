"""Errors of launchers."""

from __future__ import annotations

from parsl.common import pass_on_upstream_names
from parsl.vocabulary.provider_errors import ExecutionProviderException


class BadLauncher(ExecutionProviderException, TypeError):
    """The launcher of a provider is not a launcher.

    Args:
        launcher: The value given as launcher.
    """

    def __init__(self, launcher: object) -> None:
        super().__init__(launcher)
        self.launcher = launcher

    def __str__(self) -> str:
        if isinstance(self.launcher, type):
            shown = f"the class {self.launcher.__name__} (call it to make an instance)"
        else:
            shown = f"{self.launcher!r} ({type(self.launcher).__name__})"
        return f"launcher is {shown}; expected an instance of a parsl.launchers.base.Launcher."


pass_on_upstream_names(__name__)
