"""The parameters of an app's function: which calls are possible, and which parameters are Parsl's own."""

from __future__ import annotations

from parsl.vocabulary import SPECIAL_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
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
        names: Mapping[str, int],
        keyword_only: Iterable[str],
        required: Iterable[str],
        low: int,
        high: int | None,
        takes_any_keyword: bool,
        defaults: Mapping[str, Any],
    ) -> None:
        self._positions = {**names, **dict.fromkeys(keyword_only, _NO_LIMIT)}
        self._required = frozenset(required)
        self._low = low
        self._high = _NO_LIMIT if high is None else high
        self._takes_any_keyword = takes_any_keyword
        self._required_keyword_only = len(self._required.intersection(keyword_only))
        self.defaults = dict(defaults)
        special = [names[name] for name in SPECIAL_NAMES.intersection(names)]
        self._first_special = min(special, default=_NO_LIMIT)
        #: A call with ``low`` to ``high`` positional arguments and no others is valid and complete.
        self.low = _NO_LIMIT if self.defaults or self._required_keyword_only else low
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
            names = [
                name for name, position in self._positions.items() if self._first_special <= position < given
            ]
            names.sort(key=self._positions.__getitem__)
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
    end = code.co_argcount + code.co_kwonlyargcount
    keyword_only = code.co_varnames[code.co_argcount : end]
    defaults = func.__defaults__ or ()
    low = len(positional) - len(defaults)
    keyword_defaults = func.__kwdefaults__ or {}
    all_defaults = {**dict(zip(positional[low:], defaults, strict=True)), **keyword_defaults}
    by_keyword = {name: i for i, name in enumerate(positional) if i >= code.co_posonlyargcount}
    return Parameters(
        names=by_keyword,
        keyword_only=keyword_only,
        required=[*positional[:low], *(name for name in keyword_only if name not in keyword_defaults)],
        low=low,
        high=None if code.co_flags & _HAS_ARGS else len(positional),
        takes_any_keyword=bool(code.co_flags & _HAS_KWARGS),
        defaults=_special(all_defaults, {*by_keyword, *keyword_only}),
    )


def _from_signature(signature: Signature) -> Parameters:
    parameters = list(signature.parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    keyword_only = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    by_keyword = {p.name: i for i, p in enumerate(positional) if p.kind is p.POSITIONAL_OR_KEYWORD}
    kinds = {p.kind.name for p in parameters}
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return Parameters(
        names=by_keyword,
        keyword_only=keyword_only,
        required=[p.name for p in named if p.default is p.empty],
        low=sum(1 for p in positional if p.default is p.empty),
        high=None if "VAR_POSITIONAL" in kinds else len(positional),
        takes_any_keyword="VAR_KEYWORD" in kinds,
        defaults=_special(
            {p.name: p.default for p in named if p.default is not p.empty}, {*by_keyword, *keyword_only}
        ),
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


def _special(defaults: Mapping[str, Any], by_keyword: Iterable[str]) -> dict[str, Any]:
    names = SPECIAL_NAMES.intersection(by_keyword)
    return {name: default for name, default in defaults.items() if name in names}


def _signature(func: Callable[..., Any]) -> Signature:
    from inspect import signature

    return signature(func, follow_wrapped=False)
