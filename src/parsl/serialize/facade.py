"""Objects as bytes that name their serializer, and several of them in one buffer.

An object's bytes begin with its serializer's identifier and a line end; in a packed buffer, each object
follows its size in decimal digits and a line end. Dill is tried last.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from parsl.errors import OptionalModuleMissing
from parsl.serialize.base import SerializerBase, methods_for_code, methods_for_data
from parsl.serialize.concretes import DillCallableSerializer, DillSerializer, PickleSerializer
from parsl.serialize.errors import DeserializationError, DeserializerPluginError, SerializationError

logger = logging.getLogger(__name__)

_PICKLE = PickleSerializer()
#: Tried last, for scripts whose objects contain locks: upstream always has dill.
_DILL = DillSerializer()
_DILL_FOR_CODE = DillCallableSerializer()
methods_for_code[_PICKLE.identifier] = methods_for_data[_PICKLE.identifier] = _PICKLE
#: The serializers that bytes can name; others are imported when their identifier is found.
known_serializers: dict[bytes, SerializerBase] = {
    serializer.identifier: serializer for serializer in (_PICKLE, _DILL, _DILL_FOR_CODE)
}
#: Its name in upstream, for scripts that restore what they have replaced.
additional_methods_for_deserialization = known_serializers
#: A packed call above this size, in bytes, causes a warning in the log.
LARGE_CALL = 128_000_000
_LINE_END = b"\n"
_DILLED = (_DILL.identifier + _LINE_END, _DILL_FOR_CODE.identifier + _LINE_END)


def register_method_for_code(s: SerializerBase) -> None:
    """Add a serializer for functions, to be tried after the earlier ones."""
    methods_for_code[s.identifier] = known_serializers[s.identifier] = s


def register_method_for_data(s: SerializerBase) -> None:
    """Add a serializer for values, to be tried after the earlier ones."""
    methods_for_data[s.identifier] = known_serializers[s.identifier] = s


def serialize(obj: Any, buffer_threshold: int = 1_000_000) -> bytes:
    """Convert an object into bytes.

    Args:
        obj: The object. Serializers for code get all callable objects.
        buffer_threshold: The size, in bytes, above which a warning is logged.

    Raises:
        SerializationError: No registered serializer can convert the object.
    """
    methods, dill = (methods_for_code, _DILL_FOR_CODE) if callable(obj) else (methods_for_data, _DILL)
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
    """Whether dill has serialized these bytes."""
    return payload.startswith(_DILLED)


def deserialize(payload: bytes) -> Any:
    """Return the object that `serialize` has converted.

    Raises:
        DeserializerPluginError: The serializer cannot be found in this process.
        DeserializationError: The bytes have another form, or their serializer cannot read them.
    """
    identifier, end, body = bytes(payload).partition(_LINE_END)
    if not end:
        raise DeserializationError("the bytes do not begin with a serializer's identifier")
    serializer = known_serializers.get(identifier) or _import_serializer(identifier)
    try:
        return serializer.deserialize(body)
    except Exception as error:
        raise DeserializationError(f"{serializer!r} failed: {type(error).__name__}: {error}") from error


def _import_serializer(identifier: bytes) -> SerializerBase:
    from importlib import import_module

    try:
        module, name = identifier.decode().split(" ")
        serializer = getattr(import_module(module), name)()
    except Exception as error:
        raise DeserializerPluginError(identifier) from error
    if not isinstance(serializer, SerializerBase):
        raise DeserializerPluginError(identifier)
    known_serializers[identifier] = serializer
    return serializer


def pack_buffers(buffers: Sequence[bytes]) -> bytes:
    """Join buffers, each after its size."""
    return b"".join(b"%d\n%b" % (len(buffer), buffer) for buffer in buffers)


def unpack_buffers(packed_buffer: bytes) -> list[bytes]:
    """Return the buffers that `pack_buffers` has joined.

    Raises:
        DeserializationError: The bytes have another form.
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
    """Return the objects in a buffer of `pack_objects`; errors as for `deserialize`."""
    return [deserialize(buffer) for buffer in unpack_buffers(packed_buffer)]


def pack_apply_message(func: Any, args: Any, kwargs: Any, buffer_threshold: int = LARGE_CALL) -> bytes:
    """Pack a call, for `HighThroughputExecutor.submit_payload`.

    Args:
        func: The function.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        buffer_threshold: The size, in bytes, above which a warning is logged.

    Raises:
        SerializationError: No registered serializer can convert one of them.
    """
    packed = pack_objects([func, args, kwargs])
    if len(packed) > buffer_threshold:
        logger.warning("a packed call has %d bytes", len(packed))
    return packed


def pack_objects(objects: Sequence[Any]) -> bytes:
    """Serialize objects into one buffer; errors as for `serialize`."""
    return pack_buffers([serialize(obj, buffer_threshold=LARGE_CALL) for obj in objects])


def unpack_apply_message(packed_buffer: bytes) -> list[Any]:
    """Return function, positional and keyword arguments of a packed call; errors as for `deserialize`."""
    parts = unpack_and_deserialize(packed_buffer)
    if len(parts) != 3:
        raise DeserializationError(f"a packed call has 3 parts, these bytes have {len(parts)}")
    return parts
