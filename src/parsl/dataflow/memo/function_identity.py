"""What makes a function the same function for memoization: its name, and the code that it runs.

The code of a function is its own, that of the functions it contains, and that of the functions and apps of
the same module that it names, with the values of its defaults and of the variables it closes over. A list or
another object among these counts with its content at the first call, because the function may collect its
results in it.

Comments, docstrings, line numbers and the place of the file do not count. Neither do the values of global
variables: a counter or a time stamp there would make the results of earlier runs useless. Byte code differs
between Python 3.11 and 3.12, so to another minor version of Python every function is a new one.

Inside :func:`~parsl.dataflow.memo.ids.by_name`, a function is its name and its module, as in upstream.
"""

from __future__ import annotations

from abc import ABCMeta
from functools import partial
from hashlib import blake2b
from operator import is_
from pickle import dumps
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from weakref import WeakKeyDictionary, ref

from parsl.dataflow.memo.ids import PROTOCOL, id_for_memo, is_by_name, register_own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from typing import Any

#: Long enough that two codes never have the same digest by chance.
_DIGEST_BYTES = 16
#: The number of code objects whose digests are kept.
_MAX_CODES = 4096


class _Dependent(metaclass=ABCMeta):  # noqa: B024
    """A callable that lists what it consists of, such as an app. Subclasses declare nothing."""

    @classmethod
    def __subclasshook__(cls, kind: type) -> bool:
        return hasattr(kind, "__call__") and hasattr(kind, "__parsl_dependencies__")  # noqa: B004


@register_own(_Dependent)
@register_own(FunctionType)
@register_own(BuiltinFunctionType)
@register_own(MethodType)
@register_own(partial)
def id_of_function(function: Any, output_ref: bool = False) -> bytes:
    """Return bytes that identify a function or another callable."""
    if is_by_name():
        return _id_by_name(function)
    if type(function) is FunctionType:
        return identity_by_code(function).data
    if isinstance(function, (BuiltinFunctionType, type)):
        name = getattr(function, "__qualname__", function.__name__)
        return dumps(["builtin", name, function.__module__ or "", _owner(function)], PROTOCOL)
    if isinstance(function, (partial, MethodType)) or hasattr(type(function), "__parsl_dependencies__"):
        return dumps([type(function).__name__, [_id_of_part(part) for part in _parts(function)]], PROTOCOL)
    return id_for_memo(function)


def _id_by_name(function: Any) -> bytes:
    if isinstance(function, partial):
        return dumps(["functools.partial", [_id_of_part(part) for part in _parts(function)]], PROTOCOL)
    name, module = getattr(function, "__name__", type(function).__name__), getattr(function, "__module__", "")
    if hasattr(type(function), "runs_command"):  # upstream wraps the functions of bash apps in a partial
        module = "functools"
    return dumps(["types.FunctionType", name, module], PROTOCOL)


def identity_by_code(function: FunctionType) -> Identity:
    """Return the identity of a Python function by its name and its code, for any value of ``by_name``.

    This is the previous identity if everything that it was made of is still the same.
    """
    code = known_code(function.__code__)
    latest = code.latest
    if latest is None or latest.function() is not function or not latest.holds(function):
        latest = code.latest = Identity(function, code)
    return latest


class Identity:
    """The identity of a function, with the objects that it was made of.

    ``data`` is its bytes. ``begin`` is a hash object that has consumed them; callers copy it and add the
    arguments. It may be the :attr:`Code.latest` of its code until the function is deleted.
    """

    __slots__ = ("_code", "_defaults", "_is_simple", "_parts", "begin", "data", "function")

    def __init__(self, function: FunctionType, code: Code) -> None:
        self._code = code
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
        self.begin = blake2b(self.data, digest_size=_DIGEST_BYTES)
        # This must not keep alive what the function closes over.
        self.function = ref(function, self._forget)

    def holds(self, function: FunctionType) -> bool:
        """Whether this is still the identity of its function. (A function's name does not change.)"""
        if self._is_simple and function.__defaults__ is self._defaults and not function.__kwdefaults__:
            names = self._code.names
            if not (names and _names_functions(function.__globals__, names)):
                return True
        parts: list[object] = []
        _walk(function, parts, {id(function)})
        return len(self._parts) == len(parts) and all(map(is_, self._parts, parts))

    def _forget(self, _: object) -> None:
        if self._code.latest is self:
            self._code.latest = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.function()!r}, {len(self._parts)} parts>"


def _names_functions(module: dict[str, Any], names: Sequence[str]) -> bool:
    """Whether any of the names is that of a function or app of the module."""
    for name in names:
        value = module.get(name)
        if value is not None and (
            type(value) is FunctionType or hasattr(type(value), "__parsl_dependencies__")
        ):
            return True
    return False


def _id_of_part(part: Any) -> bytes:
    return id_of_function(part) if callable(part) and not isinstance(part, type) else id_for_memo(part)


def _parts(function: Any) -> tuple[Any, ...]:
    """Return what another kind of callable consists of."""
    if isinstance(function, partial):
        return function.func, function.args, function.keywords
    if isinstance(function, MethodType):
        return function.__func__, function.__self__
    parts: tuple[Any, ...] = function.__parsl_dependencies__()
    return parts


def _owner(function: Any) -> bytes:
    """Identify what a built-in method is bound to, unless that is its module."""
    owner = getattr(function, "__self__", None)
    if owner is None or type(owner).__name__ == "module":
        return b""
    return id_for_memo(owner)


def _walk(
    function: FunctionType, parts: list[object], seen: set[int], state: list[bytes] | None = None
) -> None:
    """Collect everything that determines what a function does.

    The objects are added to ``parts``, and their identities to ``state``, unless that is None. ``seen``
    contains the ``id`` of each function that has been visited.
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
    """Collect the values of the defaults and of the closure, as :func:`_walk` does."""
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
        except ValueError:  # still empty
            values.append(None)
    return values


def _as_function(value: Any) -> FunctionType | None:
    """Return a function, or the function of an app; None for another value."""
    if type(value) is FunctionType:
        return value
    if not hasattr(type(value), "__parsl_dependencies__"):
        return None
    return next((part for part in value.__parsl_dependencies__() if type(part) is FunctionType), None)


#: For each function, by the number of the default or variable: the object, and its identity at first.
_at_first: WeakKeyDictionary[FunctionType, dict[int, tuple[Any, bytes]]] = WeakKeyDictionary()


def _id_at_first(function: FunctionType, index: int, value: Any) -> bytes:
    """Identify a default or a variable of the closure by its content at the first call."""
    at_first = _at_first.setdefault(function, {})
    known = at_first.get(index)
    if known is None or known[0] is not value:
        known = at_first[index] = (value, _id_of_value(value))
    return known[1]


def _id_of_value(value: Any) -> bytes:
    """Identify a default or a variable of the closure. A value of an unknown type counts by its type."""
    try:
        return id_for_memo(value)
    except Exception:
        return dumps(["value of", type(value).__module__, type(value).__qualname__], PROTOCOL)


class Code:
    """A code object with the digest of what it does, not of where it is written.

    It keeps the code object, so that no other one gets its address.
    """

    __slots__ = ("code", "digest", "documented", "latest", "names")

    def __init__(self, code: CodeType) -> None:
        self.code = code
        self.digest = _digest_of(_content(code, code.co_consts))
        first = code.co_consts[0] if code.co_consts else None
        self.documented = first if type(first) is str else None
        self.names = tuple(dict.fromkeys(_all_names(code)))
        self.latest: Identity | None = None

    def digest_of(self, function: FunctionType) -> bytes:
        """Return the digest without the function's docstring."""
        if self.documented is None or function.__doc__ != self.documented:
            return self.digest
        return _digest_of(_content(self.code, (None, *self.code.co_consts[1:])))


_codes: dict[int, Code] = {}


def known_code(code: CodeType) -> Code:
    """Return the :class:`Code` of a code object: the same one each time, unless very many are in use."""
    known = _codes.get(id(code))
    if known is None:
        if len(_codes) >= _MAX_CODES:
            _codes.clear()
        known = _codes[id(code)] = Code(code)
    return known


def _content(code: CodeType, constants: tuple[Any, ...]) -> list[Any]:
    return [
        code.co_code,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount),
        [_constant(each, code) for each in constants],
    ]


def _constant(value: Any, code: CodeType) -> Any:
    if isinstance(value, CodeType):
        return [value.co_name, _content(value, value.co_consts)]
    if value == code.co_firstlineno and "__firstlineno__" in code.co_names:
        return None  # the code of a class stores its own line number
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
    """Return the digest of lists, strings, and bytes. (Pickles of equal values may differ.)"""
    return blake2b(repr(content).encode(), digest_size=_DIGEST_BYTES).digest()
