"""Pickling of users' objects: plain values the short way, everything else by value where it must be."""

from __future__ import annotations

import io
import pickle
from typing import Any

Buffer = bytes | bytearray | memoryview

#: Objects of exactly these types mean the same everywhere: the C pickler alone will do.
_PLAIN = frozenset((type(None), bool, int, float, complex, str, bytes, bytearray))
#: Containers looked into for plain values, up to this many items.
_PLAIN_ITEMS = 8
#: Buffers from this size on, in bytes, travel apart from the pickle; smaller ones are copied into it.
APART_LIMIT = 16 * 1024
#: Most buffers that travel apart: their sizes must fit into one packet.
MAX_APART = 256
#: With this byte begins every pickle of ours (its PROTO instruction), and no packed buffer.
_PICKLE = 0x80


def is_plain(obj: object) -> bool:
    """Whether `obj` is a plain value or a small flat container of plain values."""
    kind = type(obj)
    if kind in _PLAIN:
        return True
    if kind is tuple or kind is list:
        return len(obj) <= _PLAIN_ITEMS and all(type(item) in _PLAIN for item in obj)  # type: ignore[arg-type, attr-defined]
    if kind is dict:
        return len(obj) <= _PLAIN_ITEMS and all(  # type: ignore[arg-type]
            type(key) in _PLAIN and type(value) in _PLAIN
            for key, value in obj.items()  # type: ignore[attr-defined]
        )
    return False


def dumps(obj: object) -> tuple[bytes, list[Buffer]]:
    """Pickle an object, classes and functions of scripts by value.

    Returns: the pickle, and the large buffers (such as numpy arrays) that it refers to, uncopied.
    Raises: whatever the object's own pickling raises.
    """
    if is_plain(obj):
        return pickle.dumps(obj, 5), []
    from parsl.serialize.by_value import ByValuePickler

    buffers: list[Buffer] = []

    def is_small(buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        if view.nbytes < APART_LIMIT or len(buffers) == MAX_APART:
            return True
        buffers.append(view)
        return False

    with io.BytesIO() as file:
        ByValuePickler(file, is_small).dump(obj)
        return file.getvalue(), buffers


def dumps_inline(obj: object) -> bytes:
    """As `dumps`, with everything in one piece."""
    from parsl.serialize import by_value

    return by_value.dumps(obj)


def loads(payload: Buffer, buffers: Any = ()) -> Any:
    """The object that `dumps` was given; the list of objects, if `parsl.serialize.facade` has packed them."""
    if is_pickle(payload):
        return pickle.loads(payload, buffers=buffers)
    from parsl.serialize.facade import unpack_and_deserialize

    return unpack_and_deserialize(bytes(payload))


def is_pickle(payload: Buffer) -> bool:
    """Whether bytes are one pickle, and not packed by `parsl.serialize.facade`."""
    return payload[0] == _PICKLE
