"""Several calls of a function in one task."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Chunk:
    """What a task of several calls calls. Their arguments are in a row, so that futures among them are found.

    Args:
        func: The function.
    """

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func
        self.__name__ = getattr(func, "__name__", type(func).__name__)

    def __call__(self, width: int, /, *args: Any) -> list[Any]:
        """Call the function with each ``width`` of the arguments; return the list of results."""
        return [self.func(*args[i : i + width]) for i in range(0, len(args), width)]

    def __parsl_dependencies__(self) -> tuple[object, ...]:
        return (self.func,)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__name__}>"
