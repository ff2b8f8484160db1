"""Objects as bytes that say how they were made, and several of them in one buffer.

An object's bytes begin with the identifier of its serializer and a line end. Serializers are tried in the
order in which they were registered, Parsl's own first, and dill last, if it is installed; the first that
succeeds is taken. A buffer of several is, for each, its size in decimal digits, a line end, and its bytes.
"""

from __future__ import annotations

import logging

from parsl.errors import OptionalModuleMissing
from parsl.serialize.concretes import DillCallableSerializer, DillSerializer, PickleSerializer
from parsl.serialize.errors import DeserializationError, DeserializerPluginError, SerializationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from parsl.serialize.base import SerializerBase

logger = logging.getLogger(__name__)

_PICKLE = PickleSerializer()
#: What is tried last, for scripts whose objects have locks in them: upstream always has dill.
_DILL = DillSerializer()
_DILL_FOR_CODE = DillCallableSerializer()
#: In the order in which they are tried.
_for_code: dict[bytes, SerializerBase] = {_PICKLE.identifier: _PICKLE}
_for_data: dict[bytes, SerializerBase] = {_PICKLE.identifier: _PICKLE}
#: Those that bytes can name; others are imported when they are met.
_known: dict[bytes, SerializerBase] = {
    serializer.identifier: serializer for serializer in (_PICKLE, _DILL, _DILL_FOR_CODE)
}
#: A warning is logged of packed calls above this size, in bytes.
LARGE_CALL = 128_000_000
_LINE_END = b"\n"
_DILLED = (_DILL.identifier + _LINE_END, _DILL_FOR_CODE.identifier + _LINE_END)


def register_method_for_code(s: SerializerBase) -> None:
    """Have functions that the serializers so far cannot do tried with this one."""
    _for_code[s.identifier] = _known[s.identifier] = s


def register_method_for_data(s: SerializerBase) -> None:
    """Have values that the serializers so far cannot do tried with this one."""
    _for_data[s.identifier] = _known[s.identifier] = s


def serialize(obj: Any, buffer_threshold: int = 1_000_000) -> bytes:
    """Turn an object into bytes.

    Args:
        obj: the object; whatever is callable goes to the serializers for code.
        buffer_threshold: size in bytes above which a warning is logged.

    Raises: SerializationError when no registered serializer can.
    """
    methods, dill = (_for_code, _DILL_FOR_CODE) if callable(obj) else (_for_data, _DILL)
    causes: list[Exception] = []
    for identifier, serializer in [*methods.items(), (dill.identifier, dill)]:
        try:
            body = serializer.serialize(obj)
        except OptionalModuleMissing:
            continue
        except Exception as error:
            causes.append(error)
            continue
        if len(body) > buffer_threshold:
            logger.warning("a serialized %s has %d bytes", type(obj).__qualname__, len(body))
        return identifier + _LINE_END + body
    tried = "; ".join(f"{type(cause).__name__}: {cause}" for cause in causes)
    refusal = SerializationError(f"An object of type {type(obj).__qualname__} ({tried})")
    refusal.reason = tried
    raise refusal from causes[0]


def is_made_by_dill(payload: bytes) -> bool:
    """Whether the bytes of an object are such that dill has made."""
    return payload.startswith(_DILLED)


def deserialize(payload: bytes) -> Any:
    """The object that `serialize` was given.

    Raises: DeserializerPluginError when its serializer is not here; DeserializationError for other bytes, and
        for bytes that their serializer cannot read.
    """
    identifier, end, body = bytes(payload).partition(_LINE_END)
    if not end:
        raise DeserializationError("the bytes do not begin with a serializer's identifier")
    serializer = _known.get(identifier) or _import_serializer(identifier)
    try:
        return serializer.deserialize(body)
    except Exception as error:
        raise DeserializationError(f"{serializer!r} failed: {type(error).__name__}: {error}") from error


def _import_serializer(identifier: bytes) -> SerializerBase:
    from importlib import import_module

    from parsl.serialize.base import SerializerBase

    try:
        module, name = identifier.decode().split(" ")
        kind = getattr(import_module(module), name)
        serializer = kind()
    except Exception as error:
        raise DeserializerPluginError(identifier) from error
    if not isinstance(serializer, SerializerBase):
        raise DeserializerPluginError(identifier)
    _known[identifier] = serializer
    return serializer


def pack_buffers(buffers: Sequence[bytes]) -> bytes:
    """Put buffers into one, each with its size before it."""
    pieces: list[bytes] = []
    for buffer in buffers:
        pieces += (b"%d\n" % len(buffer), buffer)
    return b"".join(pieces)


def unpack_buffers(packed_buffer: bytes) -> list[bytes]:
    """The buffers that `pack_buffers` was given.

    Raises: DeserializationError when it has not made these bytes.
    """
    packed, at = bytes(packed_buffer), 0
    buffers: list[bytes] = []
    while at < len(packed):
        line_end = packed.find(_LINE_END, at, at + 24)
        digits = packed[at:line_end]
        if line_end < 0 or not digits.isdigit():
            raise DeserializationError(f"there is no buffer's size at byte {at}")
        at = line_end + 1
        size = int(digits)
        if size > len(packed) - at:
            raise DeserializationError(f"a buffer of {size} bytes is cut off after {len(packed) - at}")
        buffers.append(packed[at : at + size])
        at += size
    return buffers


def unpack_and_deserialize(packed_buffer: bytes) -> list[Any]:
    """The objects in a buffer of serialized objects.

    Raises: DeserializationError, DeserializerPluginError.
    """
    return [deserialize(buffer) for buffer in unpack_buffers(packed_buffer)]


def pack_apply_message(func: Any, args: Any, kwargs: Any, buffer_threshold: int = LARGE_CALL) -> bytes:
    """Pack a call, for `HighThroughputExecutor.submit_payload`.

    Args:
        buffer_threshold: size in bytes above which a warning is logged.

    Raises: SerializationError.
    """
    packed = pack_objects([func, args, kwargs])
    if len(packed) > buffer_threshold:
        logger.warning("a packed call has %d bytes", len(packed))
    return packed


def pack_objects(objects: Sequence[Any]) -> bytes:
    """Serialize each and put them into one buffer.

    Raises: SerializationError.
    """
    return pack_buffers([serialize(obj, buffer_threshold=LARGE_CALL) for obj in objects])


def unpack_apply_message(packed_buffer: bytes) -> list[Any]:
    """The function, the positional and the keyword arguments of a packed call.

    Raises: DeserializationError, DeserializerPluginError.
    """
    parts = unpack_and_deserialize(packed_buffer)
    if len(parts) != 3:
        raise DeserializationError(f"a packed call has 3 parts, these bytes have {len(parts)}")
    return parts
