"""Exceptions as plain data, with their tracebacks and causes.

Each cause has its own pickle and text: one that cannot be pickled or unpickled loses only its own details.
"""

from __future__ import annotations

from parsl.vocabulary.app_errors import AppException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, TypedDict

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
    if later is None:
        return AppException("An exception arrived without any content.")
    return later


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
    try:
        import cloudpickle

        return cloudpickle.dumps(parts, protocol=5), ""
    except BaseException as problem:
        return _pickled_without_attributes(parts), _shown(problem)


def _pickled_without_attributes(parts: object) -> bytes | None:
    """Pickle an exception without the attributes that cannot be pickled; None if that is not enough."""
    if not isinstance(parts, tuple):
        return None
    try:
        import cloudpickle

        kind, args, attributes, members = parts
        kept = {name: value for name, value in attributes.items() if _can_be_pickled(value)}
        return cloudpickle.dumps((kind, args, kept, members), protocol=5)  # type: ignore[no-any-return]
    except BaseException:
        return None


def _can_be_pickled(value: object) -> bool:
    import cloudpickle

    try:
        cloudpickle.dumps(value, protocol=5)
    except BaseException:
        return False
    return True


def _parts(error: BaseException, group_depth: int) -> object:
    """Split an exception without a reducer of its own into class, arguments, attributes and group members.

    Python's own unpickling calls the class with ``args``, which fails for every class whose ``__init__``
    passes something other than its own parameters to ``super().__init__``.
    """
    kind = type(error)
    if (
        kind.__reduce__ is not BaseException.__reduce__
        or kind.__reduce_ex__ is not BaseException.__reduce_ex__
    ):
        return error
    if _is_group(error) and group_depth < _MAX_GROUP_DEPTH:
        members = error.exceptions  # type: ignore[attr-defined]
        packed = [pack(member, member.__traceback__, group_depth + 1) for member in members]
        return kind, error.args[:1], error.__dict__, packed
    return kind, error.args, error.__dict__, None


def _is_group(error: BaseException) -> bool:
    import builtins

    group = getattr(builtins, "BaseExceptionGroup", None)  # Python 3.11
    return group is not None and isinstance(error, group)


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
    if traceback is None:
        return None
    try:
        from tblib import Traceback

        return dict(Traceback(traceback).to_dict())
    except Exception:
        return None  # the description contains the frames


def _traceback_from_data(data: dict[str, Any] | None) -> TracebackType | None:
    if data is None:
        return None
    try:
        from tblib import Traceback

        traceback: TracebackType | None = Traceback.from_dict(data).as_traceback()
        return traceback
    except Exception:
        return None
