"""The digest of a code object: of what it does, not of where it is written."""

from __future__ import annotations

from hashlib import blake2b
from types import CodeType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FunctionType
    from typing import Any

    from parsl.dataflow.memo.function_identity import Identity

#: Enough that no two are the same by chance.
DIGEST_BYTES = 16
#: How many code objects are remembered with their digests.
_MAX_CODES = 4096


class Code:
    """A code object with its digest.

    Attributes:
        code: The code object; kept, so that its address is not given to another one.
        digest: Of all that it does, if nothing is its docstring.
        documented: The first constant, if it may be a docstring.
        names: The globals (and attributes) that it and the code inside it name.
        latest: The identity of the function with this code that was asked for last.
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
        """The digest, with the docstring left out if there is one."""
        if self.documented is None or function.__doc__ != self.documented:
            return self.digest
        return _digest_of(_content(self.code, (None, *self.code.co_consts[1:])))


_codes: dict[int, Code] = {}


def known_code(code: CodeType) -> Code:
    """Return a code object's :class:`Code`, the same one each time as long as not very many are in use."""
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
    return blake2b(repr(content).encode(), digest_size=DIGEST_BYTES).digest()
