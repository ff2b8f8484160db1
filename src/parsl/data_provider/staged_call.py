"""A task's function together with the transfers that are done in the task itself."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Step = Callable[[], object]


class StagedCall:
    """Calls a function after some steps and before some others. Workers call it.

    Args:
        func: The function.
        before: What to call first, such as downloads.
        after: What to call once the function has returned, such as uploads.
    """

    def __init__(
        self, func: Callable[..., Any], before: Sequence[Step] = (), after: Sequence[Step] = ()
    ) -> None:
        self.func = func
        self.before = tuple(before)
        self.after = tuple(after)
        self.__name__ = getattr(func, "__name__", type(func).__name__)
        # What executors and kernel look for on the function of a bash app.
        self.runs_command = getattr(func, "runs_command", False)
        self.enforces_walltime = getattr(func, "enforces_walltime", False)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        for step in self.before:
            step()
        result = self.func(*args, **kwargs)
        for step in self.after:
            step()
        return result

    def __parsl_dependencies__(self) -> tuple[object, ...]:
        return (self.func, *self.before, *self.after)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__name__}, {len(self.before)} before, {len(self.after)} after>"


def make_parents(path: str) -> None:
    """Make the directory that ``path`` is in, unless it is there."""
    directory = os.path.dirname(path)
    if directory:
        os.makedirs(directory, exist_ok=True)
