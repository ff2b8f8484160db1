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
from pickle import dumps
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from weakref import WeakKeyDictionary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

_PROTOCOL = 4
_DIGEST_BYTES = 16
#: How many code objects are remembered with their digests.
_MOST_CODES = 4096


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
    from parsl.dataflow.memo_ids import id_for_memo

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
    code = _known_code(function.__code__)
    if (
        function.__closure__ is None
        and not function.__defaults__
        and not function.__kwdefaults__
        and not (code.names and _names_functions(function, code))
    ):
        return code.id_of(function)
    state: list[bytes] = []
    _collect(function, state, {id(function)})
    return repr(("function", function.__module__, function.__qualname__, *state)).encode()


def _id_of_part(part: Any) -> bytes:
    from parsl.dataflow.memo_ids import id_for_memo

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
    from parsl.dataflow.memo_ids import id_for_memo

    return id_for_memo(owner)


# The code and what it depends on


def _collect(function: FunctionType, state: list[bytes], seen: set[int]) -> None:
    """Add what a function does to ``state``. ``seen`` has the functions that are in it already."""
    code = _known_code(function.__code__)
    state.append(code.digest_of(function))
    if function.__defaults__ or function.__kwdefaults__ or function.__closure__:
        _collect_values(function, state, seen)
    names = function.__globals__
    for name in code.names:
        value = names.get(name)
        helper = value if type(value) is FunctionType else _function_of_app(value)
        if helper is not None and helper.__globals__ is names and id(helper) not in seen:
            seen.add(id(helper))
            state.append(name.encode())
            _collect(helper, state, seen)


def _names_functions(function: FunctionType, code: _Code) -> bool:
    """Whether functions or apps of the same module may be a part of what a function is."""
    names = function.__globals__
    for name in code.names:
        value = names.get(name)
        if value is not None and (
            type(value) is FunctionType or hasattr(type(value), "__parsl_dependencies__")
        ):
            return True
    return False


def _collect_values(function: FunctionType, state: list[bytes], seen: set[int]) -> None:
    """Add the values of the defaults and of the closure."""
    at_first = _at_first.get(function)
    if at_first is None:
        at_first = _at_first[function] = {}
    for index, value in enumerate(_values(function)):
        other = value if type(value) is FunctionType else _function_of_app(value)
        if other is not None:
            state.append(other.__qualname__.encode())
            if id(other) not in seen:
                seen.add(id(other))
                _collect(other, state, seen)
            continue
        known = at_first.get(index)
        if known is None or known[0] is not value:
            known = at_first[index] = (value, _id_of_value(value))
        state.append(known[1])


def _values(function: FunctionType) -> Generator[Any, None, None]:
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # empty as yet
            yield None


def _function_of_app(value: Any) -> FunctionType | None:
    if not hasattr(type(value), "__parsl_dependencies__"):
        return None
    for part in value.__parsl_dependencies__():
        if type(part) is FunctionType:
            return part
    return None


def _id_of_value(value: Any) -> bytes:
    """Identify a default or a variable of the closure; what cannot be identified counts by its type."""
    from parsl.dataflow.memo_ids import id_for_memo

    try:
        return id_for_memo(value)
    except Exception:
        return dumps(["value of", type(value).__module__, type(value).__qualname__], _PROTOCOL)


class _Code:
    """A code object with its digest.

    Attributes:
        code: The code object; kept, so that its address is not given to another one.
        digest: Of all that it does, if nothing is its docstring.
        documented: The first constant, if it may be a docstring.
        names: The globals (and attributes) that it and the code inside it name.
    """

    __slots__ = ("_latest", "code", "digest", "documented", "names")

    def __init__(self, code: CodeType) -> None:
        self.code = code
        self.digest = _digest_of(_content(code, code.co_consts))
        first = code.co_consts[0] if code.co_consts else None
        self.documented = first if type(first) is str else None
        self.names = tuple(dict.fromkeys(_all_names(code)))
        self._latest: tuple[str, str, str | None, bytes] | None = None

    def digest_of(self, function: FunctionType) -> bytes:
        """The digest, with the docstring left out if there is one."""
        if self.documented is None or function.__doc__ != self.documented:
            return self.digest
        return _digest_of(_content(self.code, (None, *self.code.co_consts[1:])))

    def id_of(self, function: FunctionType) -> bytes:
        """The identity of a function that is nothing but its code and its name."""
        latest = self._latest
        module, name, doc = function.__module__, function.__qualname__, function.__doc__
        if latest is None or latest[0] != name or latest[1] != module or latest[2] != doc:
            identity = repr(("function", module, name, self.digest_of(function))).encode()
            latest = self._latest = (name, module, doc, identity)
        return latest[3]


_codes: dict[int, _Code] = {}

#: For each function, by the number of the default or variable: the object there, and its identity when it was
#: first seen.
_at_first: WeakKeyDictionary[FunctionType, dict[int, tuple[Any, bytes]]] = WeakKeyDictionary()


def _known_code(code: CodeType) -> _Code:
    known = _codes.get(id(code))
    if known is None:
        if len(_codes) >= _MOST_CODES:
            _codes.clear()
        known = _codes[id(code)] = _Code(code)
    return known


def _content(code: CodeType, constants: tuple[Any, ...]) -> list[Any]:
    return [
        code.co_code,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount),
        # Line numbers are kept where the code of a class notes its own.
        [_constant(each, code) for each in constants],
    ]


def _constant(value: Any, code: CodeType) -> Any:
    if isinstance(value, CodeType):
        return [value.co_name, _content(value, value.co_consts)]
    if value == code.co_firstlineno and "__firstlineno__" in code.co_names:
        return None
    if isinstance(value, frozenset):
        return ["frozenset", sorted(map(repr, value))]
    if isinstance(value, tuple):
        return tuple(_constant(each, code) for each in value)
    return [type(value).__name__, repr(value)]


def _all_names(code: CodeType) -> Generator[str, None, None]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _all_names(constant)


def _digest_of(content: list[Any]) -> bytes:
    """The digest of lists, strings and bytes. (Not of their pickle: that tells equal from identical ones.)"""
    from hashlib import blake2b

    return blake2b(repr(content).encode(), digest_size=_DIGEST_BYTES).digest()
