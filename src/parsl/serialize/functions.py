"""Functions by content: a function is pickled and named once, with the globals and closure that it uses.

One that depends on objects which may change unnoticed (a list in a global, say) is pickled for each call, as
users expect of a call, and travels with the task.
"""

from __future__ import annotations

import sys
import types
import weakref
from functools import lru_cache, partial

from parsl.serialize.importable import is_imported_by_workers, pickles_by_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

#: Objects of these types cannot change.
_IMMUTABLE = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))
#: The largest number of named functions; further functions travel with their tasks. (Every process that
#: receives a named function keeps it.)
MAX_NAMED = 4096
#: The largest total size of named functions, in bytes.
MAX_NAMED_BYTES = 256 * 1024 * 1024
#: How many functions that were called once are remembered, so that they are named at their second call.
_MAX_REMEMBERED = 1024
#: A function that has changed this often since it got its first name is not named again.
_MAX_RENAMED = 3
_ABSENT = object()


class Snapshot:
    """The objects that a function depended on when it was pickled, and where they were found."""

    __slots__ = ("cells", "entries", "functions")

    def __init__(self) -> None:
        #: (function, its code, defaults and keyword defaults, number of its attributes)
        self.functions: list[tuple[types.FunctionType, Any, Any, Any, int]] = []
        #: (dictionary, key, value found; `_ABSENT` without one)
        self.entries: list[tuple[dict[str, Any], str, Any]] = []
        #: (closure's cell, value found)
        self.cells: list[tuple[types.CellType, Any]] = []

    def still_holds(self) -> bool:
        """Whether none of the objects has been replaced."""
        for place, key, value in self.entries:
            if place.get(key, _ABSENT) is not value:
                return False
        for function, code, defaults, keyword_defaults, attributes in self.functions:
            if (
                function.__code__ is not code
                or function.__defaults__ is not defaults
                or function.__kwdefaults__ is not keyword_defaults
                or len(function.__dict__) != attributes
            ):
                return False
        for cell, value in self.cells:
            try:
                if cell.cell_contents is not value:
                    return False
            except ValueError:  # the cell is empty now
                return False
        return True


def take_snapshot(function: Callable[..., Any]) -> Snapshot | None:
    """Return the objects that a function's pickle depends on; None if one of them may change unnoticed."""
    examiner = _Examiner()
    return examiner.snapshot if examiner.is_stable(function) else None


class _Examiner:
    """Collects in a snapshot what an object depends on, as long as nothing may change unnoticed."""

    def __init__(self) -> None:
        self.snapshot = Snapshot()
        self._seen: set[int] = set()

    def is_stable(self, obj: Any) -> bool:
        """Record the dependencies of an object. False: one of them may change unnoticed."""
        kind = type(obj)  # unlike isinstance, this does not make a lazy object fetch its target
        if kind in _IMMUTABLE or id(obj) in self._seen:
            return True
        self._seen.add(id(obj))
        if issubclass(kind, types.ModuleType):
            name = obj.__name__
            return sys.modules.get(name) is obj and not pickles_by_value(name)
        if kind is tuple or kind is frozenset:
            return all(map(self.is_stable, obj))
        if is_imported_by_workers(obj):
            return True
        if kind is types.FunctionType:
            return self._is_stable_function(obj)
        if kind is partial:
            return (
                not obj.__dict__
                and self._has_stable_entries(obj.keywords, obj.keywords)
                and self.is_stable(obj.func)
                and self.is_stable(obj.args)
            )
        dependencies = getattr(kind, "__parsl_dependencies__", None)
        return dependencies is not None and all(map(self.is_stable, dependencies(obj)))

    def _is_stable_function(self, function: types.FunctionType) -> bool:
        if function.__dict__.keys() - {"__wrapped__"}:
            return False
        names: set[str] = set()
        if not _collect_globals(function.__code__, names):
            return False
        parts = function.__code__, function.__defaults__, function.__kwdefaults__
        self.snapshot.functions.append((function, *parts, len(function.__dict__)))
        keyword_defaults = function.__kwdefaults__ or {}
        return (
            self.is_stable(function.__defaults__)
            and self.is_stable(function.__dict__.get("__wrapped__"))
            and self._has_stable_entries(keyword_defaults, keyword_defaults)
            and all(map(self._is_stable_cell, function.__closure__ or ()))
            and self._has_stable_entries(function.__globals__, names)
        )

    def _is_stable_cell(self, cell: types.CellType) -> bool:
        try:
            value = cell.cell_contents
        except ValueError:  # still empty
            return False
        self.snapshot.cells.append((cell, value))
        return self.is_stable(value)

    def _has_stable_entries(self, place: dict[str, Any], names: Iterable[str]) -> bool:
        for name in names:
            value = place.get(name, _ABSENT)
            self.snapshot.entries.append((place, name, value))
            if value is not _ABSENT and not self.is_stable(value):
                return False
        return True


def _collect_globals(code: types.CodeType, names: set[str]) -> bool:
    """Collect the names of the globals that a code object reads.

    Returns False if the code writes to globals or to the variables of a closure: a copy that is used again
    would keep the values of earlier calls.
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
    nested = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return all(_collect_globals(constant, names) for constant in nested)


@lru_cache(maxsize=1)
def _opcodes() -> tuple[frozenset[int], frozenset[int], frozenset[int], frozenset[int], int]:
    """Return the instructions that read globals, those with a shifted argument, and those that write."""
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
        import hashlib  # slow, and no process that only runs calls needs it

        self.body = body
        self.name = hashlib.blake2b(body, digest_size=16).digest()


class _Entry:
    """The state of one function in the cache."""

    __slots__ = ("function", "named", "renamed", "snapshot")

    def __init__(self, function: weakref.ref[Any]) -> None:
        self.function = function
        self.snapshot: Snapshot | None = None
        self.named: NamedFunction | None = None
        self.renamed = 0


class FunctionCache:
    """Remembers pickled functions by identity, without keeping functions alive that were called only once.

    All threads may use it; in the worst race a function is pickled twice.
    """

    def __init__(self) -> None:
        self._once: dict[int, weakref.ref[Any]] = {}
        self._entries: dict[int, _Entry] = {}
        self._names: set[bytes] = set()
        self._named_bytes = 0

    def __repr__(self) -> str:
        counts = f"once={len(self._once)} functions={len(self._entries)} names={len(self._names)}"
        return f"<FunctionCache {counts}>"

    def lookup(self, function: Callable[..., Any]) -> NamedFunction | None:
        """Return a function under its name, or None if it must travel with this call.

        A function travels with its task at the first call, so that one-off closures leave nothing behind; it
        gets its name at the second call.
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
        """Return a new entry for a function that was called once before, as long as there is room for one."""
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
        """Remove a function that no longer exists: another object may get its identity."""
        self._once.pop(key, None)
        self._entries.pop(key, None)

    def _name(self, function: Callable[..., Any], entry: _Entry) -> NamedFunction | None:
        entry.snapshot = entry.named = None
        if entry.renamed > _MAX_RENAMED or self._named_bytes >= MAX_NAMED_BYTES:
            return None
        snapshot = take_snapshot(function)
        if snapshot is None:
            return None
        from parsl.serialize import by_value

        try:
            named = NamedFunction(by_value.dumps(function))
        except Exception:
            return None  # the attempt to pickle it together with its task reports the reason
        if named.name not in self._names:
            if len(self._names) >= MAX_NAMED:
                return None
            self._names.add(named.name)
            self._named_bytes += len(named.body)
        entry.renamed += 1
        entry.named, entry.snapshot = named, snapshot
        return named
