"""What makes a value the same value for memoization: :func:`id_for_memo`, to which any type can be added.

The bytes for the plain types (None, numbers, strings, lists, tuples, dicts) are those of upstream Parsl, so
that memoization finds the results in upstream's checkpoints. Upstream treats tuples and dicts as lists of
their items; here this holds only inside :func:`by_name`.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from contextlib import contextmanager
from functools import singledispatch
from hashlib import blake2b
from pickle import dumps
from types import FunctionType

from parsl.vocabulary.files import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from typing import Any

#: This never changes: older checkpoints contain hashes of these bytes.
PROTOCOL = 4

#: Longer bytes are represented by a digest.
_LONG_BYTES = 1024

#: Equal values of the classes in these modules have equal pickles.
_PICKLED_MODULES = frozenset({"datetime", "decimal", "fractions", "uuid", "zoneinfo", "ipaddress"})


class _Meaning(threading.local):
    """How this thread identifies functions, tuples, and dicts at present."""

    by_name = False


_meaning = _Meaning()


@contextmanager
def by_name() -> Generator[None, None, None]:
    """In the block, in this thread, identify values as upstream does: functions by their names."""
    before, _meaning.by_name = _meaning.by_name, True
    try:
        yield
    finally:
        _meaning.by_name = before


def is_by_name() -> bool:
    """Whether this thread is inside a block of :func:`by_name`."""
    return _meaning.by_name


class UnknownMemoType(ValueError):
    """An argument of an app with ``cache=True`` is of a type that memoization does not know.

    Args:
        kind: The type.
    """

    def __init__(self, kind: type) -> None:
        super().__init__(kind)
        self.kind = kind

    def __str__(self) -> str:
        module, name = self.kind.__module__, self.kind.__qualname__
        return (
            f"unknown type for memoization: {self.kind}. The app has cache=True, and nothing defines when "
            f"two values of {module}.{name} are the same. Define it before the first call, by a function "
            "that returns what identifies a value:\n\n"
            "    from parsl.dataflow.memoization import id_for_memo\n"
            f"    @id_for_memo.register({self.kind.__name__})\n"
            "    def _(obj, output_ref=False): return repr(obj).encode()\n\n"
            "or leave the argument out of the comparison with ignore_for_cache=[...]"
        )


@singledispatch
def id_for_memo(obj: object, output_ref: bool = False) -> bytes:
    """Return bytes that are equal for values that are the same for memoization, and differ otherwise.

    The known types are None, bool, numbers, str, bytes, lists, tuples, sets, dicts, deques and their
    subclasses, enums, dataclasses, paths (by their name), :class:`~parsl.vocabulary.files.File`, dates and
    times, functions and classes, numpy's arrays and scalars. ``@id_for_memo.register(TheType)`` adds another
    type.

    Args:
        obj: The value.
        output_ref: Whether the value names something that the task writes. Its present content does not
            count then.

    Raises:
        UnknownMemoType: The type is not known.
    """
    kind = type(obj)
    if hasattr(kind, "__dataclass_fields__"):
        return _id_of_dataclass(obj, output_ref)
    if kind.__module__ in _PICKLED_MODULES:
        return id_for_memo_pickle(obj)
    if isinstance(obj, os.PathLike):
        return dumps(["path", os.fspath(obj)], PROTOCOL)
    enum = sys.modules.get("enum")
    if enum is not None and isinstance(obj, enum.Enum):
        return dumps(["enum", *_name_of(kind), obj.name], PROTOCOL)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(obj, (numpy.ndarray, numpy.generic)):
        return _id_of_array(numpy, obj)
    if numpy is not None and isinstance(obj, numpy.dtype):
        return dumps(["numpy.dtype", repr(obj.descr if obj.names else obj.str)], PROTOCOL)
    raise UnknownMemoType(kind)


@id_for_memo.register(type(None))
@id_for_memo.register(bool)
@id_for_memo.register(int)
@id_for_memo.register(float)
@id_for_memo.register(str)
@id_for_memo.register(complex)
@id_for_memo.register(range)
@id_for_memo.register(type(Ellipsis))
def id_for_memo_pickle(obj: object, output_ref: bool = False) -> bytes:
    """Identify a value by its pickle; for types whose equal values have equal pickles."""
    return dumps(obj, PROTOCOL)


@id_for_memo.register(slice)
def _id_of_slice(obj: slice, output_ref: bool = False) -> bytes:
    return dumps(["slice", id_for_memo_tuple((obj.start, obj.stop, obj.step))], PROTOCOL)


#: Types whose ``repr`` identifies a value, unless a user registers them anew.
plain_types: set[type] = {type(None), bool, int, float, str, complex}
#: Types of functions that are identified by their code, unless a user registers them anew.
own_callables: set[type] = {FunctionType}
#: Registers a type of this package's own.
register_own = id_for_memo.register


def _register_of_user(cls: Any, *args: Any, **kwargs: Any) -> Any:
    plain_types.discard(cls)
    own_callables.discard(cls)
    return register_own(cls, *args, **kwargs)


def is_plain(values: Iterable[object]) -> bool:
    """Whether all values are of :data:`plain_types`."""
    return plain_types.issuperset(map(type, values))


@id_for_memo.register(list)
def id_for_memo_list(denormalized_list: list[Any], output_ref: bool = False) -> bytes:
    """Identify a list by its items, in their order."""
    ids = _pickled_ids([id_for_memo(item, output_ref=output_ref) for item in denormalized_list])
    return ids if type(denormalized_list) is list else _with_kind(denormalized_list, ids)


@id_for_memo.register(tuple)
def id_for_memo_tuple(denormalized_tuple: tuple[Any, ...], output_ref: bool = False) -> bytes:
    """Identify a tuple by its items, in their order."""
    ids = _pickled_ids([id_for_memo(item, output_ref=output_ref) for item in denormalized_tuple])
    return ids if _counts_as_list(denormalized_tuple, tuple) else _with_kind(denormalized_tuple, ids)


@id_for_memo.register(dict)
def id_for_memo_dict(denormalized_dict: dict[Any, Any], output_ref: bool = False) -> bytes:
    """Identify a dict by its items; their order does not count."""
    try:
        keys = sorted(denormalized_dict)
    except TypeError:  # keys of several types
        keys = sorted(denormalized_dict, key=lambda key: as_bytes(id_for_memo(key)))
    ids = []
    for key in keys:
        ids.append(id_for_memo(key, output_ref=output_ref))
        ids.append(id_for_memo(denormalized_dict[key], output_ref=output_ref))
    flat = _pickled_ids(ids)
    return flat if _counts_as_list(denormalized_dict, dict) else _with_kind(denormalized_dict, flat)


@id_for_memo.register(set)
@id_for_memo.register(frozenset)
def _id_of_set(items: set[Any] | frozenset[Any], output_ref: bool = False) -> bytes:
    ids = sorted(as_bytes(id_for_memo(item, output_ref=output_ref)) for item in items)
    return _with_kind(items, _pickled_ids(ids))


@id_for_memo.register(deque)
def _id_of_deque(items: deque[Any], output_ref: bool = False) -> bytes:
    return _with_kind(items, id_for_memo_list([items.maxlen, *items], output_ref=output_ref))


@id_for_memo.register(bytes)
@id_for_memo.register(bytearray)
@id_for_memo.register(memoryview)
def _id_of_bytes(data: bytes | bytearray | memoryview, output_ref: bool = False) -> bytes:
    size = data.nbytes if isinstance(data, memoryview) else len(data)
    content = bytes(data) if size <= _LONG_BYTES else _digest(data)
    return dumps([type(data).__name__, size, content], PROTOCOL)


@id_for_memo.register(File)
def _id_of_file(file: File, output_ref: bool = False) -> bytes:
    """A file that the task writes counts by its name; one that it reads also by its size and change time."""
    if output_ref or file.scheme != "file":
        return dumps(["File", file.url], PROTOCOL)
    try:
        stat = os.stat(file.filepath)
    except OSError:  # the file may exist where the task runs
        return dumps(["File", file.url, None], PROTOCOL)
    return dumps(["File", file.url, stat.st_size, stat.st_mtime_ns], PROTOCOL)


@id_for_memo.register(type)
def _id_of_class(kind: type, output_ref: bool = False) -> bytes:
    return dumps(["type", *_name_of(kind)], PROTOCOL)


def _id_of_dataclass(obj: Any, output_ref: bool) -> bytes:
    fields = [(name, getattr(obj, name, None)) for name in type(obj).__dataclass_fields__]
    return _with_kind(obj, id_for_memo_list(fields, output_ref))


def _id_of_array(numpy: Any, array: Any) -> bytes:
    """Identify an array by its type, its shape, and a digest of its content in C's order."""
    dtype = array.dtype
    if dtype.hasobject:
        return dumps(["numpy", str(dtype), array.shape, id_for_memo(array.tolist())], PROTOCOL)
    plain = numpy.ascontiguousarray(array)
    kind = dtype.str if dtype.names is None else repr(dtype.descr)
    return dumps(["numpy", kind, array.shape, _digest(plain.reshape(-1).view(numpy.uint8))], PROTOCOL)


def _counts_as_list(obj: object, kind: type) -> bool:
    """Whether a tuple or dict counts as a list of its items, as in upstream's checkpoints."""
    return is_by_name() and type(obj) is kind


def _with_kind(obj: object, content: bytes) -> bytes:
    return dumps([*_name_of(type(obj)), content], PROTOCOL)


def _name_of(kind: type) -> tuple[str, str]:
    return kind.__module__, kind.__qualname__


def _pickled_ids(ids: Iterable[bytes]) -> bytes:
    # Copies, because pickle writes an object that occurs twice differently from two equal objects.
    copies = [bytes(memoryview(each)) if type(each) is bytes else _of_another_type(each) for each in ids]
    return dumps(copies, PROTOCOL)


def _of_another_type(identity: Any) -> Any:
    """Return what to pickle for the identity from a registered function, unless that is bytes.

    Upstream pickles what such a function returns. A string is pickled here, too, so that the results in
    upstream's checkpoints are found.
    """
    if isinstance(identity, str):
        return "".join(list(identity))
    if isinstance(identity, (bytearray, memoryview)):
        return bytes(identity)
    if identity is None:
        raise TypeError(
            "A function that was registered with id_for_memo has returned None, so that all values of its "
            "type would be the same. It has to return bytes or a string that identifies the value"
        )
    return id_for_memo(identity)


def as_bytes(identity: Any) -> bytes:
    """Return an identity as bytes; functions that users register may return a string or another value."""
    return identity if type(identity) is bytes else dumps(_of_another_type(identity), PROTOCOL)


def _digest(data: Any) -> bytes:
    return blake2b(data, digest_size=20).digest()


id_for_memo.register = _register_of_user  # type: ignore[method-assign]
