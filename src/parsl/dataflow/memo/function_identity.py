"""What makes a function the same function for memoization: its name, and the code that it runs.

The code of a function is its own, that of the functions it contains, and that of the functions and apps of
the same module that it names; with the values of its defaults and of the variables it closes over. A list or
another object there counts with what it contained when the function was first called: it may well be what
the function collects its results in.
Comments, docstrings, line numbers and the place of the file do not count. Neither do the values of global
variables: a counter or a time stamp there would make every run a stranger to the one before. Byte code
differs between Python 3.11 and 3.12, so to another minor version of Python every function is a new one.

:func:`by_name` brings back the older meaning, in which a function is its name and its module.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from hashlib import blake2b
from operator import is_
from pickle import dumps
from types import BuiltinFunctionType, FunctionType, MethodType
from weakref import WeakKeyDictionary, ref

from parsl.dataflow.memo.code_digest import DIGEST_BYTES, known_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from typing import Any

    from parsl.dataflow.memo.code_digest import Code

_PROTOCOL = 4


class _Meaning(threading.local):
    """What the identity of a function means in this thread at present."""

    by_name = False


_meaning = _Meaning()


@contextmanager
def by_name() -> Generator[None, None, None]:
    """In the block, in this thread, a function is its name and module, as in upstream's checkpoints."""
    before, _meaning.by_name = _meaning.by_name, True
    try:
        yield
    finally:
        _meaning.by_name = before


def is_by_name() -> bool:
    """Whether this is inside a block of :func:`by_name`."""
    return _meaning.by_name


def id_of_function(function: Any) -> bytes:
    """Return bytes that identify a function, or another thing that can be called.

    Raises:
        UnknownMemoType: It is an object that is called, of a type that nothing is known about.
    """
    if _meaning.by_name:
        return _id_by_name(function)
    if type(function) is FunctionType:
        return id_by_code(function)
    if isinstance(function, (BuiltinFunctionType, type)):
        return dumps(["builtin", *_names(function), _owner(function)], _PROTOCOL)
    if isinstance(function, (partial, MethodType)) or hasattr(type(function), "__parsl_dependencies__"):
        return dumps([type(function).__name__, [_id_of_part(part) for part in _parts(function)]], _PROTOCOL)
    from parsl.dataflow.memo.ids import id_for_memo

    return id_for_memo(function)


def _id_by_name(function: Any) -> bytes:
    if isinstance(function, partial):
        return dumps(["functools.partial", [_id_of_part(part) for part in _parts(function)]], _PROTOCOL)
    name, module = getattr(function, "__name__", type(function).__name__), getattr(function, "__module__", "")
    if hasattr(type(function), "runs_command"):  # upstream wraps the functions of bash apps in a partial
        module = "functools"
    return dumps(["types.FunctionType", name, module], _PROTOCOL)


def id_by_code(function: FunctionType) -> bytes:
    """Identify a Python function by its name and its code, whatever :func:`by_name` says."""
    return identity_by_code(function).data


def identity_by_code(function: FunctionType) -> Identity:
    """Return the identity of a Python function: the one found last time, if all it came from is the same."""
    code = known_code(function.__code__)
    latest = code.latest
    if latest is None or latest.function() is not function or not latest.holds(function):
        latest = code.latest = Identity(function, code)
    return latest


class Identity:
    """The identity of a function, with what it was made of.

    Attributes:
        data: The bytes that are the identity.
        begin: A hash that has been given these bytes, to be copied and given more.
        function: A weak reference to the function.

    Args:
        function: The function.
        code: Its code; this is its :attr:`Code.latest` at most until the function is no more.
    """

    __slots__ = ("_code", "_defaults", "_is_simple", "_parts", "begin", "data", "function")

    def __init__(self, function: FunctionType, code: Code) -> None:
        self._code = code
        #: The objects that it came from. As long as they are the same ones, it is the same.
        self._parts: list[object] = []
        state: list[bytes] = []
        _walk(function, self._parts, {id(function)}, state)
        self._defaults = function.__defaults__
        self._is_simple = not (
            function.__closure__
            or function.__kwdefaults__
            or any(_as_function(value) is not None for value in self._defaults or ())
            or _names_functions(function.__globals__, code.names)
        )
        self.data = repr(("function", function.__module__, function.__qualname__, *state)).encode()
        self.begin = blake2b(self.data, digest_size=DIGEST_BYTES)
        # What a function closes over is not to be kept here for longer than the function.
        self.function = ref(function, self._forget)

    def holds(self, function: FunctionType) -> bool:
        """Whether this is the identity of its function still. (Names are given to functions once.)"""
        if self._is_simple and function.__defaults__ is self._defaults and not function.__kwdefaults__:
            names = self._code.names
            if not (names and _names_functions(function.__globals__, names)):
                return True
        parts: list[object] = []
        _walk(function, parts, {id(function)})
        return len(self._parts) == len(parts) and all(map(is_, self._parts, parts))

    def _forget(self, gone: object) -> None:
        if self._code.latest is self:
            self._code.latest = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.function()!r}, {len(self._parts)} parts>"


def _names_functions(module: dict[str, Any], names: Sequence[str]) -> bool:
    """Whether functions or apps of a module may be a part of what a function of it is."""
    for name in names:
        value = module.get(name)
        if value is not None and (
            type(value) is FunctionType or hasattr(type(value), "__parsl_dependencies__")
        ):
            return True
    return False


def _id_of_part(part: Any) -> bytes:
    from parsl.dataflow.memo.ids import id_for_memo

    return id_of_function(part) if callable(part) and not isinstance(part, type) else id_for_memo(part)


def _parts(function: Any) -> tuple[Any, ...]:
    """What another kind of callable consists of."""
    if isinstance(function, partial):
        return function.func, function.args, function.keywords
    if isinstance(function, MethodType):
        return function.__func__, function.__self__
    parts: tuple[Any, ...] = function.__parsl_dependencies__()
    return parts


def _names(function: Any) -> tuple[str, str]:
    return getattr(function, "__qualname__", function.__name__), function.__module__ or ""


def _owner(function: Any) -> bytes:
    """What a built-in method is bound to, unless that is its module."""
    owner = getattr(function, "__self__", None)
    if owner is None or type(owner).__name__ == "module":
        return b""
    from parsl.dataflow.memo.ids import id_for_memo

    return id_for_memo(owner)


# The code and what it depends on


def _walk(
    function: FunctionType, parts: list[object], seen: set[int], state: list[bytes] | None = None
) -> None:
    """Go through all that makes up what a function does.

    Args:
        function: The function.
        parts: Is given the objects.
        seen: The functions that have been gone through already, by their ``id``.
        state: Is given what identifies the objects; None: nobody wants to know.
    """
    code = known_code(function.__code__)
    parts += (code, function.__doc__)
    if state is not None:
        state.append(code.digest_of(function))
    if function.__defaults__ or function.__kwdefaults__ or function.__closure__:
        _walk_values(function, parts, seen, state)
    names = function.__globals__
    for name in code.names:
        value = names.get(name)
        if value is None:
            continue
        helper = _as_function(value)
        if helper is not None and helper.__globals__ is names and id(helper) not in seen:
            seen.add(id(helper))
            parts.append(name)
            if state is not None:
                state.append(name.encode())
            _walk(helper, parts, seen, state)


def _walk_values(
    function: FunctionType, parts: list[object], seen: set[int], state: list[bytes] | None
) -> None:
    """Go through the values of the defaults and of the closure, as :func:`_walk` does."""
    for index, value in enumerate(_values(function)):
        other = _as_function(value)
        if other is None:
            parts.append(value)
            if state is not None:
                state.append(_id_at_first(function, index, value))
            continue
        name = other.__qualname__
        parts.append(name)
        if state is not None:
            state.append(name.encode())
        if id(other) not in seen:
            seen.add(id(other))
            _walk(other, parts, seen, state)


def _values(function: FunctionType) -> list[Any]:
    values = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    for cell in function.__closure__ or ():
        try:
            values.append(cell.cell_contents)
        except ValueError:  # empty as yet
            values.append(None)
    return values


def _as_function(value: Any) -> FunctionType | None:
    """Return a function, or that of an app; None: it is neither."""
    if type(value) is FunctionType:
        return value
    if not hasattr(type(value), "__parsl_dependencies__"):
        return None
    for part in value.__parsl_dependencies__():
        if type(part) is FunctionType:
            return part
    return None


#: For each function, by the number of the default or variable: the object there, and its identity when it was
#: first seen.
_at_first: WeakKeyDictionary[FunctionType, dict[int, tuple[Any, bytes]]] = WeakKeyDictionary()


def _id_at_first(function: FunctionType, index: int, value: Any) -> bytes:
    """Identify a default or a variable of the closure by what it was when it was first seen."""
    at_first = _at_first.get(function)
    if at_first is None:
        at_first = _at_first[function] = {}
    known = at_first.get(index)
    if known is None or known[0] is not value:
        known = at_first[index] = (value, _id_of_value(value))
    return known[1]


def _id_of_value(value: Any) -> bytes:
    """Identify a default or a variable of the closure; what cannot be identified counts by its type."""
    from parsl.dataflow.memo.ids import id_for_memo

    try:
        return id_for_memo(value)
    except Exception:
        return dumps(["value of", type(value).__module__, type(value).__qualname__], _PROTOCOL)
