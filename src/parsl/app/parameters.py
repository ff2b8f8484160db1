"""The parameters of an app's function: which calls are possible, and which parameters are Parsl's own."""

from __future__ import annotations

from parsl.vocabulary import SPECIAL_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from inspect import Signature
    from types import CodeType
    from typing import Any

    Call = tuple[tuple[Any, ...], dict[str, Any]]

_HAS_ARGS = 0x04
_HAS_KWARGS = 0x08
_NO_LIMIT = 1 << 30


class Parameters:
    """A function's parameters, in a form in which calls are checked quickly."""

    def __init__(
        self,
        positional: Sequence[str],
        positional_only: int,
        keyword_only: Sequence[str],
        defaults: Mapping[str, Any],
        *,
        takes_any_position: bool,
        takes_any_keyword: bool,
    ) -> None:
        positions = {name: i for i, name in enumerate(positional) if i >= positional_only}
        special = SPECIAL_NAMES.intersection(positions)
        self._first_special = min((positions[name] for name in special), default=_NO_LIMIT)
        self._positions = {**positions, **dict.fromkeys(keyword_only, _NO_LIMIT)}
        self._required = {*positional, *keyword_only}.difference(defaults)
        self._required_keyword_only = len(self._required.intersection(keyword_only))
        self._low = len(self._required) - self._required_keyword_only
        self._high = _NO_LIMIT if takes_any_position else len(positional)
        self._takes_any_keyword = takes_any_keyword
        special = SPECIAL_NAMES.intersection(self._positions)
        self.defaults = {name: default for name, default in defaults.items() if name in special}
        #: A call with ``low`` to ``high`` positional arguments and no others is valid and complete.
        self.low = _NO_LIMIT if self.defaults or self._required_keyword_only else self._low
        self.high = min(self._high, self._first_special)

    def __repr__(self) -> str:
        return f"<Parameters {', '.join(self._positions)} special={self.defaults}>"

    def allows(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Whether the function can be called with these arguments.

        Parsl's own arguments are always allowed: a function without a parameter for one does not receive it.
        """
        given = len(args)
        if given > self._high:
            return False
        positions = self._positions
        found = 0
        for name in kwargs:
            position = positions.get(name)
            if position is None:
                if not self._takes_any_keyword and name not in SPECIAL_NAMES:
                    return False
            elif position < given:
                return False
            elif name in self._required:
                found += 1
        return found == max(0, self._low - given) + self._required_keyword_only

    def complete(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """Turn the special arguments of a call, given or by default, into keyword arguments."""
        given = len(args)
        if given > self._first_special and self._high != _NO_LIMIT:
            names = [name for name, at in self._positions.items() if self._first_special <= at < given]
            kwargs = {**dict(zip(names, args[self._first_special :], strict=True)), **kwargs}
            args = args[: self._first_special]
            given = len(args)
        for name, default in self.defaults.items():
            if name not in kwargs and self._positions.get(name, _NO_LIMIT) >= given:
                kwargs[name] = default
        return args, kwargs


def read_parameters(func: Callable[..., Any]) -> Parameters | None:
    """Return the parameters of a function; None if they are unknown, as for some built-in functions."""
    code = getattr(func, "__code__", None)
    if type(func).__name__ == "function" and code is not None:
        parameters = _from_code(func, code)
        if hasattr(func, "__wrapped__"):
            parameters.defaults.update(_wrapped_defaults(func))
            parameters.low = _NO_LIMIT
        return parameters
    try:
        return _from_signature(_signature(func))
    except (TypeError, ValueError):
        return None


def explain_refusal(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
    """Return why a function cannot be called with these arguments; None if it can."""
    signature = _signature(func)
    others = {
        name: kwargs[name] for name in kwargs if name in signature.parameters or name not in SPECIAL_NAMES
    }
    try:
        signature.bind(*args, **others)
    except TypeError as error:
        name = getattr(func, "__name__", repr(func))
        return f"{name}() cannot be called like this: {error}; it is defined as {name}{signature}"
    return None


def unknown_parameter(func: Callable[..., Any], names: Iterable[str]) -> tuple[str, list[str]] | None:
    """Find a name that is neither a parameter of the function nor one of Parsl's own.

    Returns it and the function's parameters. None if there is none, or if the function takes any keyword or
    has unknown parameters.
    """
    try:
        parameters = _signature(func).parameters
    except (TypeError, ValueError):  # some built-in ones
        return None
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return None
    unknown = next((name for name in names if name not in parameters and name not in SPECIAL_NAMES), None)
    return None if unknown is None else (unknown, list(parameters))


def _from_code(func: Any, code: CodeType) -> Parameters:
    """Read the parameters of a plain function without the cost of `inspect`."""
    positional = code.co_varnames[: code.co_argcount]
    keyword_only = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    values = func.__defaults__ or ()
    with_default = positional[len(positional) - len(values) :]
    return Parameters(
        positional,
        code.co_posonlyargcount,
        keyword_only,
        {**dict(zip(with_default, values, strict=True)), **(func.__kwdefaults__ or {})},
        takes_any_position=bool(code.co_flags & _HAS_ARGS),
        takes_any_keyword=bool(code.co_flags & _HAS_KWARGS),
    )


def _from_signature(signature: Signature) -> Parameters:
    parameters = signature.parameters.values()

    def of_kind(kind: str) -> list[str]:
        return [p.name for p in parameters if p.kind.name == kind]

    positional_only = of_kind("POSITIONAL_ONLY")
    return Parameters(
        [*positional_only, *of_kind("POSITIONAL_OR_KEYWORD")],
        len(positional_only),
        of_kind("KEYWORD_ONLY"),
        {p.name: p.default for p in parameters if p.default is not p.empty},
        takes_any_position=bool(of_kind("VAR_POSITIONAL")),
        takes_any_keyword=bool(of_kind("VAR_KEYWORD")),
    )


def _wrapped_defaults(func: Callable[..., Any]) -> dict[str, Any]:
    """Return the special defaults of a function that another one wraps, if the wrapper passes them on."""
    from inspect import signature

    own = _signature(func).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in own.values()):
        return {}
    inner = signature(func).parameters
    return {
        name: inner[name].default
        for name in SPECIAL_NAMES.intersection(inner)
        if inner[name].default is not inner[name].empty and name not in own
    }


def _signature(func: Callable[..., Any]) -> Signature:
    from inspect import signature

    return signature(func, follow_wrapped=False)
