"""Pickling by value: what a script defines travels along, and lazy objects stay unopened.

As cloudpickle does it, and beyond that:

- Proxies for objects that are fetched on first use (such as ProxyStore's) are pickled as they are. That takes
  looking at ``type(obj)`` only: ``isinstance`` asks the proxy for its ``__class__``, and that fetches.
- Classes with ``__slots__`` have them on the other side too, so that their objects find the way back.
- Code keeps the name of its file, so that tracebacks show the lines of a script, or of a notebook's cell.
  (From 3.1.3 on cloudpickle has one name for all, to have the same bytes wherever a function comes from.)
- Functions of a script with ``functools.lru_cache`` or ``functools.singledispatch`` travel.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable
from functools import _lru_cache_wrapper, lru_cache
from types import CodeType, FunctionType
from typing import Any
from weakref import WeakKeyDictionary

import cloudpickle

#: The version of the protocol: the first with buffers that travel apart.
PROTOCOL = 5
#: What cloudpickle may give instead of the name of a file.
_NO_FILE = "<dynamic-code>"
_cloudpickle_reduces = cloudpickle.Pickler.reducer_override


class ByValuePickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles one object, as this module says.

    Args:
        file: Where the pickle goes.
        buffer_callback: As for :class:`pickle.Pickler`.
    """

    def __init__(self, file: io.BytesIO, buffer_callback: Callable[[Any], bool] | None = None) -> None:
        super().__init__(file, protocol=PROTOCOL, buffer_callback=buffer_callback)

    def reducer_override(self, obj: Any) -> Any:
        """Called by the pickler for every object but the plainest."""
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
        ByValuePickler(file).dump(obj)
        return file.getvalue()


def _with_slots(owner: type, reduced: Any) -> Any:
    """Have a class that travels by value made with its slots; cloudpickle only notes their names."""
    slots = owner.__dict__.get("__slots__")
    if slots and type(reduced) is tuple:
        made_of = reduced[1]
        if len(made_of) == 6 and type(made_of[3]) is dict:  # of a class that is no enum: its namespace
            made_of[3]["__slots__"] = slots
    return reduced


def _reduce_cached(function: Any) -> Any:
    if _is_importable(function):
        return NotImplemented
    parameters = function.cache_parameters()
    return _cached, (function.__wrapped__, parameters["maxsize"], parameters["typed"])


def _cached(function: Callable[..., Any], maxsize: int | None, typed: bool) -> Any:
    return lru_cache(maxsize, typed)(function)


def _is_importable(obj: Any) -> bool:
    if obj.__module__ == "__main__":
        return False
    found: Any = sys.modules.get(obj.__module__)
    for name in obj.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is obj


def _reduce_weak_keys(table: WeakKeyDictionary[Any, Any]) -> Any:
    """The cache of a ``singledispatch`` function, above all."""
    return WeakKeyDictionary, (dict(table),)


def _reduce_code(code: CodeType) -> Any:
    make, parts = cloudpickle.Pickler.dispatch_table[CodeType](code)
    return make, tuple(code.co_filename if part == _NO_FILE else part for part in parts)


def _reduce_text_file(file: io.TextIOWrapper) -> Any:
    """Cloudpickle sends what is in a file that is open to read; what a task writes to that would be lost."""
    if "+" in getattr(file, "mode", ""):
        raise pickle.PicklingError(f"{file!r} cannot be pickled: it is open to write; pass its name")
    return NotImplemented


_REDUCERS: dict[type, Callable[[Any], Any]] = {
    _lru_cache_wrapper: _reduce_cached,
    WeakKeyDictionary: _reduce_weak_keys,
    CodeType: _reduce_code,
    io.TextIOWrapper: _reduce_text_file,
}
