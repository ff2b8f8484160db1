"""Pickling by value: classes and functions of scripts travel along, and lazy objects stay unopened.

This extends cloudpickle. Only ``type(obj)`` is inspected: ``isinstance`` reads ``__class__``, which makes a
proxy (such as ProxyStore's) fetch its target.
"""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable
from functools import _lru_cache_wrapper, lru_cache
from types import CodeType, FunctionType
from typing import Any
from weakref import WeakKeyDictionary

import cloudpickle

from parsl.serialize.importable import is_importable

#: The first version of the protocol with buffers that travel apart.
PROTOCOL = 5
#: The file name that newer versions of cloudpickle give to all code.
_NO_FILE = "<dynamic-code>"
#: Why a memoryview is refused.
NO_VIEW = "a memoryview shows memory of this process; pass bytes(view) or an array"
_cloudpickle_reduces = cloudpickle.Pickler.reducer_override


class ByValuePickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles one object."""

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        if kind is FunctionType:
            return _cloudpickle_reduces(self, obj)
        if issubclass(kind, type):
            return _with_slots(obj, _cloudpickle_reduces(self, obj))
        reduce = _REDUCERS.get(kind)
        return NotImplemented if reduce is None else reduce(obj)


def dumps(obj: object) -> bytes:
    """Pickle an object."""
    with io.BytesIO() as file:
        ByValuePickler(file, PROTOCOL).dump(obj)
        return file.getvalue()


def _with_slots(owner: type, reduced: Any) -> Any:
    """Add its slots to the namespace of a class that travels by value; cloudpickle sends only their names."""
    slots = owner.__dict__.get("__slots__")
    if slots and type(reduced) is tuple:
        made_of = reduced[1]
        if len(made_of) == 6 and type(made_of[3]) is dict:  # the namespace of a class that is not an enum
            made_of[3]["__slots__"] = slots
    return reduced


def _reduce_cached(function: Any) -> Any:
    if function.__module__ != "__main__" and is_importable(function, function.__module__):
        return NotImplemented
    parameters = function.cache_parameters()
    return _cached, (function.__wrapped__, parameters["maxsize"], parameters["typed"])


def _cached(function: Callable[..., Any], maxsize: int | None, typed: bool) -> Any:
    return lru_cache(maxsize, typed)(function)


def _reduce_weak_keys(table: WeakKeyDictionary[Any, Any]) -> Any:
    """Pickle such a dictionary, most often the cache of a ``singledispatch`` function."""
    return WeakKeyDictionary, (dict(table),)


def _reduce_code(code: CodeType) -> Any:
    # Cloudpickle replaces file names from 3.1.3 on, but tracebacks show lines of scripts and cells by them.
    make, parts = cloudpickle.Pickler.dispatch_table[CodeType](code)
    return make, tuple(code.co_filename if part == _NO_FILE else part for part in parts)


def _reduce_text_file(file: io.TextIOWrapper) -> Any:
    """Refuse a file that is open for writing; cloudpickle would send its content and lose what is written."""
    if "+" in getattr(file, "mode", ""):
        raise pickle.PicklingError(f"{file!r} cannot be pickled: it is open for writing; pass its name")
    return NotImplemented


def _reduce_binary_file(file: io.BufferedReader) -> Any:
    """Open a file again at the same position; it is open for reading only, so that does no harm."""
    name = getattr(file, "name", None)
    if file.closed or not isinstance(name, str) or not os.path.isfile(name):
        return NotImplemented
    return _open_again, (os.path.abspath(name), file.tell())


def _open_again(path: str, position: int) -> io.BufferedReader:
    file = open(path, "rb")  # noqa: SIM115 - it belongs to the task
    file.seek(position)
    return file


def _refuse_memoryview(view: memoryview) -> Any:
    """Refuse a view of another object's memory; cloudpickle would send bytes in its place."""
    raise pickle.PicklingError(f"{view!r} cannot be pickled: {NO_VIEW}")


_REDUCERS: dict[type, Callable[[Any], Any]] = {
    _lru_cache_wrapper: _reduce_cached,
    WeakKeyDictionary: _reduce_weak_keys,
    CodeType: _reduce_code,
    io.TextIOWrapper: _reduce_text_file,
    io.BufferedReader: _reduce_binary_file,
    memoryview: _refuse_memoryview,
}
