"""Exceptions that cross a process boundary, with their tracebacks."""

from __future__ import annotations

import pickle
import traceback
from typing import Any

from parsl.errors import ParslError
from parsl.serialize.objects import Buffer, dumps_inline


class RemoteError(ParslError):
    """Stands for a task's exception that could not be pickled, or not be unpickled here.

    Attributes:
        type_name: the exception's type, as text.
        remote_traceback: the traceback on the worker, as text.
    """

    def __init__(self, type_name: str, message: str, reason: str, remote_traceback: str) -> None:
        super().__init__(type_name, message, reason, remote_traceback)
        self.type_name = type_name
        self.message = message
        self.reason = reason
        self.remote_traceback = remote_traceback

    def __str__(self) -> str:
        return (
            f"the task raised {self.type_name}: {self.message}\n"
            f"(shown as text: {self.reason})\n{self.remote_traceback}"
        )


class ExceptionRecord:
    """An exception as bytes and as text: the bytes for the type, the text in case they cannot be read."""

    __slots__ = ("message", "pickled", "text", "type_name", "why_not")

    def __init__(self, pickled: bytes, type_name: str, message: str, text: str, why_not: str) -> None:
        self.pickled = pickled
        self.type_name = type_name
        self.message = message
        self.text = text
        self.why_not = why_not

    @classmethod
    def of(cls, error: BaseException) -> ExceptionRecord:
        pickled, why_not = _pickle_with_traceback(error)
        kind = type(error)
        text = "".join(traceback.format_exception(kind, error, error.__traceback__))
        return cls(pickled, f"{kind.__module__}.{kind.__qualname__}", _text_of(error), text, why_not)

    def dump(self) -> bytes:
        return pickle.dumps((self.pickled, self.type_name, self.message, self.text, self.why_not), 5)

    @classmethod
    def load(cls, payload: Buffer) -> ExceptionRecord:
        return cls(*pickle.loads(payload))

    def rebuild(self) -> BaseException:
        """The exception itself, or a `RemoteError` in its place."""
        why_not = self.why_not
        if self.pickled:
            try:
                error, trace = pickle.loads(self.pickled)
                if isinstance(error, BaseException):
                    return error.with_traceback(_as_traceback(trace))
                why_not = f"it was unpickled as {type(error).__name__}, which is no exception"
            except Exception as cause:
                why_not = f"it cannot be unpickled here: {type(cause).__name__}: {cause}"
        return RemoteError(self.type_name, self.message, why_not, self.text)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as cause:
        return f"<its text cannot be shown: {type(cause).__name__}>"


def _pickle_with_traceback(error: BaseException) -> tuple[bytes, str]:
    """Returns: the pickle, or nothing and the reason why there is none."""
    try:
        pickled = dumps_inline((error, _as_dict(error.__traceback__)))
    except Exception as cause:
        return b"", f"it cannot be pickled: {type(cause).__name__}: {cause}"
    try:
        pickle.loads(pickled)
    except Exception as cause:
        return b"", f"it cannot be unpickled again: {type(cause).__name__}: {cause}"
    return pickled, ""


def _as_dict(trace: Any) -> Any:
    import tblib

    return tblib.Traceback(trace).as_dict() if trace is not None else None


def _as_traceback(record: Any) -> Any:
    import tblib

    return tblib.Traceback.from_dict(record).as_traceback() if record is not None else None
