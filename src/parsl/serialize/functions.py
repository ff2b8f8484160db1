"""Functions by content: pickled once and named, as long as nothing they depend on can change unseen.

A function from a script is pickled by value, together with the globals, defaults and closure that it uses. Its
pickle may be used again only while those are the same objects and cannot have changed inside. Where that is
not certain (a list in a global, say) the function is pickled afresh for each call, as users expect from calling
it, and travels with the task.
"""

from __future__ import annotations

import builtins
import hashlib
import sys
import types
from functools import partial
from typing import Any, Callable

#: Objects of these types cannot change.
_IMMUTABLE = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))
#: How many functions a kernel names at the most; beyond, functions travel with their tasks.
MOST_NAMED = 4096
_STORE_GLOBAL: frozenset[int] | None = None


class Snapshot:
    """What a function depended on when it was pickled: pairs of a place and the object found there."""

    __slots__ = ("places",)

    def __init__(self) -> None:
        #: (mapping or cell or object, key, value found)
        self.places: list[tuple[Any, Any, Any]] = []

    def note(self, place: Any, key: Any, value: Any) -> None:
        self.places.append((place, key, value))

    def still_holds(self) -> bool:
        for place, key, value in self.places:
            try:
                found = place.cell_contents if key is None else place.get(key, _ABSENT)
            except ValueError:
                found = _ABSENT
            if found is not value:
                return False
        return True


_ABSENT = object()


def take_snapshot(function: Callable[..., Any]) -> Snapshot | None:
    """A snapshot of all that the function's pickle depends on; None when something in it could change unseen."""
    snapshot = Snapshot()
    return snapshot if _examine(function, snapshot, set()) else None


def _examine(obj: Any, snapshot: Snapshot, seen: set[int]) -> bool:
    """Note all that `obj` depends on. Returns: False when it may change unseen."""
    if isinstance(obj, _IMMUTABLE) and type(obj) in _IMMUTABLE:
        return True
    if id(obj) in seen:
        return True
    seen.add(id(obj))
    if isinstance(obj, types.ModuleType):
        return True
    if type(obj) is tuple or type(obj) is frozenset:
        return all(_examine(item, snapshot, seen) for item in obj)
    if _is_importable(obj):
        return True
    if isinstance(obj, types.FunctionType):
        return _examine_function(obj, snapshot, seen)
    if isinstance(obj, partial) and type(obj) is partial:
        parts = (obj.func, obj.args, *obj.keywords.values())
        return all(_examine(part, snapshot, seen) for part in parts)
    dependencies = getattr(type(obj), "__parsl_dependencies__", None)
    if dependencies is not None:
        return all(_examine(part, snapshot, seen) for part in dependencies(obj))
    return False


def _is_importable(obj: Any) -> bool:
    """Whether the worker gets `obj` by importing it: then nothing of it is in the pickle."""
    if not isinstance(obj, (type, types.FunctionType, types.BuiltinFunctionType)):
        return False
    module = getattr(obj, "__module__", None)
    if module is None or module == "__main__" or "<locals>" in obj.__qualname__:
        return False
    if module == "builtins":
        return True
    found: Any = sys.modules.get(module)
    for name in obj.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is obj and not _pickles_by_value(module)


def _pickles_by_value(module: str) -> bool:
    cloudpickle = sys.modules.get("cloudpickle.cloudpickle")
    registry = getattr(cloudpickle, "_PICKLE_BY_VALUE_MODULES", ())
    parts = module.split(".")
    return any(".".join(parts[: i + 1]) in registry for i in range(len(parts)))


def _examine_function(function: types.FunctionType, snapshot: Snapshot, seen: set[int]) -> bool:
    if function.__dict__.keys() - {"__wrapped__"} or _writes_globals(function.__code__):
        return False
    for part in (function.__defaults__ or (), *(function.__kwdefaults__ or {}).values()):
        if not _examine(part, snapshot, seen):
            return False
    for cell in function.__closure__ or ():
        try:
            value = cell.cell_contents
        except ValueError:
            return False
        snapshot.note(cell, None, value)
        if not _examine(value, snapshot, seen):
            return False
    for name in _global_names(function.__code__):
        value = function.__globals__.get(name, _ABSENT)
        if value is _ABSENT:
            if not hasattr(builtins, name):
                continue  # an attribute's name, or one that the worker will complain about
            snapshot.note(function.__globals__, name, _ABSENT)
            continue
        snapshot.note(function.__globals__, name, value)
        if not _examine(value, snapshot, seen):
            return False
    return True


def _global_names(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _global_names(constant)
    return names


def _writes_globals(code: types.CodeType) -> bool:
    global _STORE_GLOBAL
    if _STORE_GLOBAL is None:
        from opcode import opmap

        _STORE_GLOBAL = frozenset(opmap[name] for name in ("STORE_GLOBAL", "DELETE_GLOBAL"))
    if not _STORE_GLOBAL.isdisjoint(code.co_code[::2]):
        return True
    return any(
        _writes_globals(constant) for constant in code.co_consts if isinstance(constant, types.CodeType)
    )


class NamedFunction:
    """A pickled function and the name of its content."""

    __slots__ = ("body", "name")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.name = hashlib.blake2b(body, digest_size=16).digest()


class FunctionCache:
    """Remembers pickled functions by identity. Used from any thread; the worst race pickles twice."""

    def __init__(self) -> None:
        self._entries: dict[int, tuple[Any, Snapshot | None, NamedFunction | None]] = {}

    def __repr__(self) -> str:
        return f"<FunctionCache functions={len(self._entries)}>"

    def lookup(self, function: Callable[..., Any]) -> NamedFunction | None:
        """The function under its name, or None when it has to travel with this call.

        A function that is called for the first time travels with its task, so that one-off closures leave
        nothing behind; it gets its name at the second call.
        """
        entry = self._entries.get(id(function))
        if entry is None or entry[0] is not function:
            if len(self._entries) < MOST_NAMED:
                self._entries[id(function)] = (function, None, None)
            return None
        _, snapshot, named = entry
        if named is not None and snapshot is not None and snapshot.still_holds():
            return named
        snapshot = take_snapshot(function)
        if snapshot is None:
            return None
        named = NamedFunction(dump_function(function))
        self._entries[id(function)] = (function, snapshot, named)
        return named


def dump_function(function: Callable[..., Any]) -> bytes:
    """Pickle a function, by value unless the worker can import it."""
    import cloudpickle

    return cloudpickle.dumps(function, protocol=5)  # type: ignore[no-any-return]
