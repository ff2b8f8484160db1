"""The wrapper in which a function may return an exception instead of raising it."""

from __future__ import annotations

from parsl.vocabulary import publish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")


class RemoteExceptionWrapper:
    """An exception with its traceback, in the form in which a worker returns it.

    It can always be pickled and unpickled. An exception that cannot be pickled arrives as an
    :class:`AppException` that contains its type, its message, the remote traceback, and the reason.

    Args:
        e_type: The exception's class.
        e_value: The exception.
        traceback: The traceback of the exception.
    """

    def __init__(
        self, e_type: type[BaseException], e_value: BaseException, traceback: TracebackType | None
    ) -> None:
        self.e_type = e_type
        self.e_value = e_value
        self.e_traceback = traceback

    def get_exception(self) -> BaseException:
        """Return the exception with its original traceback."""
        return self.e_value.with_traceback(self.e_traceback)

    def reraise(self) -> None:
        """Raise the exception with its original traceback."""
        raise self.get_exception()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.e_value!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        from parsl.vocabulary.packed_errors import pack

        return _unpacked, (type(self), pack(self.e_value, self.e_traceback))


def wrap_error(func: Callable[P, R]) -> Callable[P, R | RemoteExceptionWrapper]:
    """Make a function return its exceptions, wrapped, instead of raising them."""
    from functools import wraps

    @wraps(func)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R | RemoteExceptionWrapper:
        try:
            return func(*args, **kwargs)
        except Exception as error:
            return RemoteExceptionWrapper(type(error), error, error.__traceback__)

    return wrapper


def _unpacked(kind: type[RemoteExceptionWrapper], links: list[Any]) -> RemoteExceptionWrapper:
    from parsl.vocabulary.packed_errors import unpack

    error = unpack(links)
    return kind(type(error), error, error.__traceback__)


publish(globals(), "parsl.app.errors")
