"""Exceptions as plain data, with their tracebacks and causes, and the wrapper in which a worker returns one.

Each cause has its own pickle and text: one that cannot be pickled or unpickled loses only its own details.
"""

from __future__ import annotations

from parsl.vocabulary import publish
from parsl.vocabulary.app_errors import AppException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, ParamSpec, TypedDict, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

    class Link(TypedDict):
        """One exception of a chain, and its relation to the next one."""

        name: str  #: module and name of its class
        pickled: bytes | None  #: None if the exception cannot be pickled
        description: str  #: message and remote traceback, in case the exception cannot be unpickled
        problem: str  #: why the exception cannot be pickled; empty if it can
        traceback: dict[str, Any] | None  #: in the form of tblib
        is_cause: bool  #: whether the next one is its cause ("raise ... from") or only its context
        suppress_context: bool


#: Longer chains of causes are truncated.
_MAX_LINKS = 20
#: Exception groups that are nested deeper than this are replaced by their description.
_MAX_GROUP_DEPTH = 5
_DESCRIPTION_CHARS = 10_000


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
        return _unpacked, (type(self), pack(self.e_value, self.e_traceback))


def _unpacked(kind: type[RemoteExceptionWrapper], links: list[Link]) -> RemoteExceptionWrapper:
    error = unpack(links)
    return kind(type(error), error, error.__traceback__)


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


def pack(error: BaseException, traceback: TracebackType | None, group_depth: int = 0) -> list[Link]:
    """Convert an exception and its causes, the nearest first, into plain data; never raises."""
    links: list[Link] = []
    current: BaseException | None = error
    seen: set[int] = set()
    while current is not None and id(current) not in seen and len(links) < _MAX_LINKS:
        seen.add(id(current))
        where = traceback if current is error else current.__traceback__
        links.append(_pack_one(current, where, group_depth))
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return links


def unpack(links: list[Link]) -> BaseException:
    """Return the exception with its traceback and causes; never raises.

    An exception that cannot be unpickled is replaced by an :class:`AppException` that describes it.
    """
    later: BaseException | None = None
    for link in reversed(links):
        error = _unpack_one(link)
        if later is not None and link["is_cause"]:
            error.__cause__ = later
        elif later is not None:
            error.__context__ = later
        error.__suppress_context__ = link["suppress_context"]
        later = error
    return later or AppException("An exception arrived without any content.")


def _pack_one(error: BaseException, traceback: TracebackType | None, group_depth: int) -> Link:
    pickled, problem = _pickled(_parts(error, group_depth))
    return {
        "name": f"{type(error).__module__}.{type(error).__qualname__}",
        "pickled": pickled,
        "description": _described(error, traceback),
        "problem": problem,
        "traceback": _traceback_as_data(traceback),
        "is_cause": error.__cause__ is not None,
        "suppress_context": error.__suppress_context__,
    }


def _pickled(parts: object) -> tuple[bytes | None, str]:
    """Return the pickle, and why it is missing or incomplete (empty if it is complete)."""
    import pickle

    try:
        return pickle.dumps(parts, protocol=5), ""
    except BaseException:
        pass  # cloudpickle also sends classes that cannot be imported
    pickled, problem = _cloudpickled(parts)
    if pickled is None and isinstance(parts, tuple):
        kind, args, attributes, members = parts
        kept = {name: value for name, value in attributes.items() if _cloudpickled(value)[0] is not None}
        pickled = _cloudpickled((kind, args, kept, members))[0]
    return pickled, problem


def _cloudpickled(obj: object) -> tuple[bytes | None, str]:
    try:
        import cloudpickle

        return cloudpickle.dumps(obj, protocol=5), ""
    except BaseException as problem:
        return None, _shown(problem)


def _parts(error: BaseException, group_depth: int) -> object:
    """Split an exception without a reducer of its own into class, arguments, attributes and group members.

    Python's own unpickling calls the class with ``args``, which fails for every class whose ``__init__``
    passes something other than its own parameters to ``super().__init__``.
    """
    import builtins

    kind = type(error)
    if (kind.__reduce__, kind.__reduce_ex__) != (BaseException.__reduce__, BaseException.__reduce_ex__):
        return error
    group = getattr(builtins, "BaseExceptionGroup", None)  # Python 3.11
    if group is not None and isinstance(error, group) and group_depth < _MAX_GROUP_DEPTH:
        members = error.exceptions
        packed = [pack(member, member.__traceback__, group_depth + 1) for member in members]
        return kind, error.args[:1], error.__dict__, packed
    return kind, error.args, error.__dict__, None


def _assembled(parts: object) -> object:
    if not isinstance(parts, tuple):
        return parts
    kind, args, attributes, members = parts
    if members is not None:
        args = (*args, [unpack(member) for member in members])
    try:
        error = kind(*args)
    except Exception:
        error = kind.__new__(kind, *args)
        error.args = args
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


def _unpack_one(link: Link) -> BaseException:
    problem = link["problem"]
    error: object = None
    if link["pickled"] is not None:
        import pickle

        try:
            error = _assembled(pickle.loads(link["pickled"]))
        except Exception as unpickling:
            problem = f"unpickling it raised {_shown(unpickling)}"
        else:
            problem = "unpickling it gave something that is not an exception"
    if not isinstance(error, BaseException):
        error = AppException(
            f"A {link['name']} was raised, but could not be sent: {problem}\n{link['description']}"
        )
    return error.with_traceback(_traceback_from_data(link["traceback"]))


def _described(error: BaseException, traceback: TracebackType | None) -> str:
    from traceback import format_tb

    try:
        frames = "".join(format_tb(traceback))
    except BaseException as problem:
        frames = f"(no traceback: {_shown(problem)})\n"
    return frames[-_DESCRIPTION_CHARS:] + _shown(error)


def _shown(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException as problem:
        text = f"(its message cannot be shown: {type(problem).__name__})"
    return f"{type(error).__name__}: {text[:_DESCRIPTION_CHARS]}"


def _traceback_as_data(traceback: TracebackType | None) -> dict[str, Any] | None:
    try:
        from tblib import Traceback

        return None if traceback is None else dict(Traceback(traceback).to_dict())
    except Exception:
        return None  # the description contains the frames


def _traceback_from_data(data: dict[str, Any] | None) -> TracebackType | None:
    try:
        from tblib import Traceback

        return None if data is None else Traceback.from_dict(data).as_traceback()
    except Exception:
        return None


publish(globals(), "parsl.app.errors")
