"""Functions by content: pickled once and named, as long as nothing they depend on can change unseen.

A function from a script is pickled by value, together with the globals, defaults and closure that it uses.
Its pickle may be used again only while those are the same objects and cannot have changed inside. Where that
is not certain (a list in a global, say) the function is pickled afresh for each call, as users expect from
calling it, and travels with the task.
"""

from __future__ import annotations

import hashlib
import sys
import types
import weakref
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

#: Objects of these types cannot change.
_IMMUTABLE = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))
#: How many functions get a name at the most; beyond, functions travel with their tasks. (Whoever is sent a
#: named function keeps it.)
MAX_NAMED = 4096
#: No more get a name once those that have one are so large together, in bytes.
MAX_NAMED_BYTES = 256 * 1024 * 1024
#: How many of the functions that were called once are remembered, to name them at their second call.
_MAX_REMEMBERED = 1024
#: A function that has changed so often since it got its first name is not named again.
_MAX_RENAMED = 3


class Snapshot:
    """What a function depended on when it was pickled: where things were found, and what was found there."""

    __slots__ = ("_cells", "_entries", "_functions")

    def __init__(self) -> None:
        #: (function, its code, defaults and keyword defaults, number of its attributes)
        self._functions: list[tuple[types.FunctionType, Any, Any, Any, int]] = []
        #: (dictionary, key, value found)
        self._entries: list[tuple[dict[str, Any], str, Any]] = []
        #: (closure's cell, value found)
        self._cells: list[tuple[types.CellType, Any]] = []

    def note_function(self, function: types.FunctionType) -> None:
        """Note what a function consists of."""
        parts = function.__code__, function.__defaults__, function.__kwdefaults__
        self._functions.append((function, *parts, len(function.__dict__)))

    def note_entry(self, place: dict[str, Any], key: str, value: object) -> None:
        """Note what a dictionary has under a key; `_ABSENT` if nothing."""
        self._entries.append((place, key, value))

    def note_cell(self, cell: types.CellType, value: object) -> None:
        """Note what a closure's cell holds."""
        self._cells.append((cell, value))

    def still_holds(self) -> bool:
        """Whether everything is as it was."""
        for place, key, value in self._entries:
            if place.get(key, _ABSENT) is not value:
                return False
        for function, code, defaults, keyword_defaults, attributes in self._functions:
            if (
                function.__code__ is not code
                or function.__defaults__ is not defaults
                or function.__kwdefaults__ is not keyword_defaults
                or len(function.__dict__) != attributes
            ):
                return False
        for cell, value in self._cells:
            try:
                if cell.cell_contents is not value:
                    return False
            except ValueError:  # it is empty now
                return False
        return True


_ABSENT = object()


def take_snapshot(function: Callable[..., Any]) -> Snapshot | None:
    """A snapshot of what the function's pickle depends on; None when something in it could change unseen."""
    snapshot = Snapshot()
    return snapshot if _examine(function, snapshot, set()) else None


def _examine(obj: Any, snapshot: Snapshot, seen: set[int]) -> bool:
    """Note all that `obj` depends on. Returns: False when it may change unseen."""
    kind = type(obj)  # and not isinstance, which makes lazy objects fetch what they stand for
    if kind in _IMMUTABLE:
        return True
    if id(obj) in seen:
        return True
    seen.add(id(obj))
    if issubclass(kind, types.ModuleType):
        name = obj.__name__
        return sys.modules.get(name) is obj and not _pickles_by_value(name)
    if kind is tuple or kind is frozenset:
        return all(_examine(item, snapshot, seen) for item in obj)
    if _is_importable(obj):
        return True
    if kind is types.FunctionType:
        return _examine_function(obj, snapshot, seen)
    if kind is partial:
        return (
            not obj.__dict__
            and _examine_entries(obj.keywords, snapshot, seen)
            and all(_examine(part, snapshot, seen) for part in (obj.func, obj.args))
        )
    dependencies = getattr(kind, "__parsl_dependencies__", None)
    if dependencies is not None:
        return all(_examine(part, snapshot, seen) for part in dependencies(obj))
    return False


def _is_importable(obj: Any) -> bool:
    """Whether the worker gets `obj` by importing it: then nothing of it is in the pickle."""
    if not issubclass(type(obj), (type, types.FunctionType, types.BuiltinFunctionType)):
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


def _examine_entries(entries: dict[str, Any], snapshot: Snapshot, seen: set[int]) -> bool:
    for key, value in entries.items():
        snapshot.note_entry(entries, key, value)
        if not _examine(value, snapshot, seen):
            return False
    return True


def _examine_function(function: types.FunctionType, snapshot: Snapshot, seen: set[int]) -> bool:
    if function.__dict__.keys() - {"__wrapped__"}:
        return False
    names: set[str] = set()
    if not _collect_globals(function.__code__, names):
        return False
    snapshot.note_function(function)
    parts = (function.__defaults__, function.__dict__.get("__wrapped__"))
    return (
        all(_examine(part, snapshot, seen) for part in parts)
        and _examine_entries(function.__kwdefaults__ or {}, snapshot, seen)
        and _examine_closure(function, snapshot, seen)
        and _examine_globals(function, names, snapshot, seen)
    )


def _examine_closure(function: types.FunctionType, snapshot: Snapshot, seen: set[int]) -> bool:
    for cell in function.__closure__ or ():
        try:
            value = cell.cell_contents
        except ValueError:  # empty as yet
            return False
        snapshot.note_cell(cell, value)
        if not _examine(value, snapshot, seen):
            return False
    return True


def _examine_globals(
    function: types.FunctionType, names: set[str], snapshot: Snapshot, seen: set[int]
) -> bool:
    for name in names:
        value = function.__globals__.get(name, _ABSENT)
        snapshot.note_entry(function.__globals__, name, value)
        if value is not _ABSENT and not _examine(value, snapshot, seen):
            return False
    return True


def _collect_globals(code: types.CodeType, names: set[str]) -> bool:
    """Collect the names of the globals that a code object reads.

    Returns: False when it writes to globals or to a closure's variables: a copy that is used again would
        remember what it was not sent with.
    """
    reads, shifted, writes, writes_closure, extended = _opcodes()
    if code.co_freevars:
        writes = writes | writes_closure
    bytecode, argument = code.co_code, 0
    for at in range(0, len(bytecode), 2):
        operation = bytecode[at]
        argument = argument << 8 | bytecode[at + 1]
        if operation == extended:
            continue
        if operation in writes:
            return False
        if operation in reads:
            names.add(code.co_names[argument >> 1 if operation in shifted else argument])
        argument = 0
    return all(
        _collect_globals(constant, names)
        for constant in code.co_consts
        if isinstance(constant, types.CodeType)
    )


@lru_cache(maxsize=1)
def _opcodes() -> tuple[frozenset[int], frozenset[int], frozenset[int], frozenset[int], int]:
    """The instructions that read globals, those of them whose argument is shifted, and those that write."""
    from opcode import opmap

    def numbers(*names: str) -> frozenset[int]:
        return frozenset(opmap[name] for name in names if name in opmap)

    return (
        numbers("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"),
        numbers("LOAD_GLOBAL") if sys.version_info >= (3, 11) else frozenset(),
        numbers("STORE_GLOBAL", "DELETE_GLOBAL"),
        numbers("STORE_DEREF", "DELETE_DEREF"),
        opmap["EXTENDED_ARG"],
    )


class NamedFunction:
    """A pickled function and the name of its content."""

    __slots__ = ("body", "name")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.name = hashlib.blake2b(body, digest_size=16).digest()


class _Entry:
    """What is known of one function."""

    __slots__ = ("function", "named", "renamed", "snapshot")

    def __init__(self, function: weakref.ref[Any]) -> None:
        self.function = function
        self.snapshot: Snapshot | None = None
        self.named: NamedFunction | None = None
        self.renamed = 0


class FunctionCache:
    """Remembers pickled functions by identity. A function that was called only once is not kept by that.

    Used from any thread; the worst race pickles twice.
    """

    def __init__(self) -> None:
        self._once: dict[int, weakref.ref[Any]] = {}
        self._entries: dict[int, _Entry] = {}
        self._names: set[bytes] = set()
        self._named_bytes = 0

    def __repr__(self) -> str:
        return f"<FunctionCache functions={len(self._entries)} names={len(self._names)}>"

    def lookup(self, function: Callable[..., Any]) -> NamedFunction | None:
        """The function under its name, or None when it has to travel with this call.

        A function that is called for the first time travels with its task, so that one-off closures leave
        nothing behind; it gets its name at the second call.
        """
        entry = self._entries.get(id(function))
        if entry is None or entry.function() is not function:
            entry = self._second_call(function)
            if entry is None:
                return None
        elif entry.snapshot is not None and entry.snapshot.still_holds():
            return entry.named
        return self._name(function, entry)

    def _second_call(self, function: Callable[..., Any]) -> _Entry | None:
        """An entry for a function that was called once before, as long as there is room for one."""
        key = id(function)
        seen = self._once.get(key)
        if seen is not None and seen() is function:
            if len(self._entries) >= MAX_NAMED:
                return None
            entry = self._entries[key] = _Entry(self._once.pop(key))
            return entry
        try:
            reference = weakref.ref(function, partial(self._forget, key))
        except TypeError:
            return None
        if len(self._once) >= _MAX_REMEMBERED:
            self._once.clear()
        self._once[key] = reference
        return None

    def _forget(self, key: int, _: weakref.ref[Any]) -> None:
        """A function is gone, and its identity may soon be another's."""
        self._once.pop(key, None)
        self._entries.pop(key, None)

    def _name(self, function: Callable[..., Any], entry: _Entry) -> NamedFunction | None:
        entry.snapshot = entry.named = None
        if entry.renamed > _MAX_RENAMED or self._named_bytes >= MAX_NAMED_BYTES:
            return None
        snapshot = take_snapshot(function)
        if snapshot is None:
            return None
        try:
            named = NamedFunction(dump_function(function))
        except Exception:
            return None  # whoever pickles it with its task says what is wrong
        if named.name not in self._names:
            if len(self._names) >= MAX_NAMED:
                return None
            self._names.add(named.name)
            self._named_bytes += len(named.body)
        entry.renamed += 1
        entry.named, entry.snapshot = named, snapshot
        return named


def dump_function(function: Callable[..., Any]) -> bytes:
    """Pickle a function, by value unless the worker can import it."""
    from parsl.serialize import by_value

    return by_value.dumps(function)
