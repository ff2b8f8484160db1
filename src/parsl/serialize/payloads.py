"""Calls, values and exceptions as the opaque payloads that travel between driver and worker."""

from __future__ import annotations

import io
import pickle

from parsl.serialize.base import PICKLE, methods_for_data
from parsl.serialize.errors import DeserializationError, SerializationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

Buffer = bytes | bytearray | memoryview
#: A pickle, and the large buffers (such as numpy arrays) that it refers to, without a copy.
Pickled = tuple[bytes, list[Buffer]]

#: The arguments of a call without any.
NO_ARGUMENTS = pickle.dumps(((), {}), 5)
#: The result None.
NONE = pickle.dumps(None, 5)
#: Objects of exactly these types mean the same everywhere, so the C pickler is enough.
_PLAIN = frozenset((type(None), bool, int, float, complex, str, bytes, bytearray))
#: Containers are searched for plain values up to this number of items.
_PLAIN_ITEMS = 8
#: Buffers of at least this size, in bytes, travel apart from the pickle; smaller ones are copied into it.
APART_LIMIT = 16 * 1024
#: The largest number of buffers that travel apart: their sizes must fit into one packet.
MAX_APART = 256
_REMOVED = "the script has removed pickle from parsl.serialize.facade.methods_for_data"
#: The first byte of every pickle (its PROTO instruction), and of no packed buffer.
_PICKLE = 0x80


def dump_arguments(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Pickled:
    """Pickle the arguments of a call; a SerializationError names the one that cannot be pickled."""
    if not args and not kwargs:
        return NO_ARGUMENTS, []
    try:
        if methods_for_data and PICKLE not in methods_for_data:
            raise pickle.PicklingError(_REMOVED)
        if is_plain(args) and is_plain(kwargs):
            return pickle.dumps((args, kwargs), 5), []
        return dumps((args, kwargs))
    except Exception as error:
        return _pack_differently([args, kwargs], function, args, kwargs, error)


def dump_call(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Pickled:
    """Pickle a call with its function; a SerializationError names the part that cannot be pickled."""
    try:
        if methods_for_data and PICKLE not in methods_for_data:
            raise pickle.PicklingError(_REMOVED)
        return dumps((function, args, kwargs))
    except Exception as error:
        return _pack_differently([function, args, kwargs], function, args, kwargs, error)


def dump_value(value: object) -> Pickled:
    """Pickle a task's result; a SerializationError names its type."""
    if value is None:
        return NONE, []
    try:
        return dumps(value)
    except Exception as error:
        from parsl.serialize import facade

        try:
            return facade.pack_objects([value]), []
        except SerializationError as refusal:
            what = f"The task's result of type {_type_name(value)} ({refusal.reason})"
            raise SerializationError(what) from error


def load_value(payload: Buffer, buffers: Sequence[Buffer] = ()) -> Any:
    """Return the value of a result."""
    try:
        value = loads(payload, buffers)
        return value if is_pickle(payload) else value[0]
    except Exception as error:
        raise _unreadable("result", error) from error


def dump_exception(error: BaseException, facts: dict[str, Any] | None = None) -> bytes:
    """Pickle a task's exception with its traceback, its causes and further FailureFacts; never fails.

    Parts that cannot be pickled are replaced by their description.
    """
    from parsl.failure_facts import facts_of
    from parsl.vocabulary.packed_errors import pack

    known = {**facts_of(error).as_dict(), **(facts or {})}
    return pickle.dumps((pack(error, error.__traceback__), known), 5)


def load_exception(payload: Buffer) -> BaseException:
    """Return a task's exception with its remote traceback, its causes and the facts; never raises."""
    from parsl.failure_facts import attach
    from parsl.vocabulary.packed_errors import unpack

    try:
        links, known = pickle.loads(payload)
        error = unpack(links)
        attach(error, **known)
        return error
    except Exception as error:
        return _unreadable("exception", error)


def _unreadable(what: str, error: Exception) -> DeserializationError:
    return DeserializationError(
        f"the task's {what} cannot be unpickled here: {type(error).__name__}: {error}"
    )


def dumps(obj: object) -> Pickled:
    """Pickle an object, with the classes and functions of scripts by value."""
    if is_plain(obj):
        return pickle.dumps(obj, 5), []
    from parsl.serialize.by_value import PROTOCOL, ByValuePickler

    buffers: list[Buffer] = []

    def is_small(buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        if view.nbytes < APART_LIMIT or len(buffers) == MAX_APART:
            return True
        buffers.append(view)
        return False

    with io.BytesIO() as file:
        ByValuePickler(file, PROTOCOL, is_small).dump(obj)
        return file.getvalue(), buffers


def loads(payload: Buffer, buffers: Any = ()) -> Any:
    """Return the object of a pickle, or the list of objects that `parsl.serialize.facade` has packed."""
    if is_pickle(payload):
        return pickle.loads(payload, buffers=buffers)
    from parsl.serialize.facade import unpack_and_deserialize

    return unpack_and_deserialize(bytes(payload))


def is_pickle(payload: Buffer) -> bool:
    """Whether bytes are one pickle, and not packed by `parsl.serialize.facade`."""
    return payload[0] == _PICKLE


def is_plain(obj: Any) -> bool:
    """Whether `obj` is a plain value or a small flat container of plain values."""
    kind = type(obj)
    if kind in _PLAIN:
        return True
    if kind is tuple or kind is list:
        return len(obj) <= _PLAIN_ITEMS and _are_plain(obj)
    if kind is dict:
        return not obj or (len(obj) <= _PLAIN_ITEMS and _are_plain(obj) and _are_plain(obj.values()))
    return False


def _are_plain(values: Iterable[object]) -> bool:
    return _PLAIN.issuperset(map(type, values))


def _pack_differently(
    objects: list[Any], function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception
) -> Pickled:
    """Pack a call that pickle refuses with a serializer that the user has registered, or with dill."""
    from parsl.serialize import facade

    try:
        parts = [facade.serialize(obj, facade.LARGE_CALL) for obj in objects]
    except SerializationError:
        raise _find_culprit(function, args, kwargs, error) from error
    if any(map(facade.is_made_by_dill, parts)):
        from parsl.serialize.copies import warn_of_copies

        warn_of_copies(error)
    return facade.pack_buffers(parts), []


def _find_culprit(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception
) -> SerializationError:
    name = getattr(function, "__name__", repr(function))
    named = [(f"Argument {i} of {name}", value) for i, value in enumerate(args)]
    named += [(f"Argument {key!r} of {name}", value) for key, value in kwargs.items()]
    for what, value in named:
        reason = _why_not(value)
        if reason:
            return SerializationError(f"{what}, of type {_type_name(value)} ({reason}),")
    reason = _why_not(function) or f"{type(error).__name__}: {error}"
    return SerializationError(f"The function {name} ({reason})")


def _why_not(value: object) -> str:
    """Return why no serializer can pickle a value; empty if one can."""
    from parsl.serialize import facade

    try:
        facade.serialize(value, facade.LARGE_CALL)
    except SerializationError as refusal:
        return refusal.reason
    return ""


def _type_name(value: object) -> str:
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}"
