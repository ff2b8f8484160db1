"""Keyword arguments that a function does not have: mistyped names are refused, retired ones translated.

Scripts can import the names of retired classes, and of later ones. Calling such a class is an error with
advice.
"""

from __future__ import annotations

import warnings
from functools import wraps

from parsl.errors import ConfigurationError
from parsl.validate import ParameterError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any, NoReturn, ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

_HAS_KWARGS = 0x08
_MAX_SUGGESTIONS = 3
#: By difflib's ratio: two letters of a short word have changed places.
_NEARLY_EQUAL = 0.8
#: From :func:`warnings.warn` to the call that used the retired argument.
_STACK_LEVEL = 4


class UnknownParameterError(ParameterError, TypeError):
    """A function has no parameter of this name."""


class Retired:
    """A former argument. Its advice is a sentence without a full stop; ``new`` replaces it, if not None.

    ``convert`` converts the old value to the new argument's; it may raise ``ValueError``, with advice.
    """

    def __init__(
        self, advice: str, new: str | None = None, convert: Callable[[Any], Any] | None = None
    ) -> None:
        self.advice = advice
        self.new = new
        self.convert = convert


def renamed(new: str) -> Retired:
    """Return the entry for an argument that has another name now."""
    return Retired(f"write {new} instead", new)


def accepts_retired(**retired: Retired) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function or ``__init__`` accept retired keyword arguments, each with a warning.

    Unknown arguments are refused with a suggestion. Retired ones are not part of the signature: type checkers
    and ``inspect`` show only the current arguments.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        names = parameter_names(function)

        @wraps(function)
        def accepting(*args: P.args, **kwargs: P.kwargs) -> R:
            if not names.issuperset(kwargs):
                owner = type(args[0]).__name__ if "self" in names else function.__name__
                replace_retired(owner, retired, kwargs)
                if not names.issuperset(kwargs):
                    refuse_unknown(owner, kwargs, names)
            return function(*args, **kwargs)

        return accepting

    return decorate


#: Makes a function or ``__init__`` refuse unknown keyword arguments with a suggestion.
refuses_unknown_names = accepts_retired()


def parameter_names(function: Callable[..., object]) -> frozenset[str]:
    """Return the keyword arguments of a function without ``**kwargs``, ``self`` included.

    They are read from the code object of the undecorated function: importing inspect would cost more than
    everything else here.
    """
    if (signature := getattr(function, "__signature__", None)) is not None:
        return frozenset(signature.parameters)
    code = getattr(function, "__wrapped__", function).__code__
    assert not code.co_flags & _HAS_KWARGS, f"{function!r} takes keyword arguments of any name"
    return named_parameters(function)


def named_parameters(function: Callable[..., object]) -> frozenset[str]:
    """Return the named parameters of a function, which may also have ``**kwargs``."""
    code = getattr(function, "__wrapped__", function).__code__
    return frozenset(code.co_varnames[code.co_posonlyargcount : code.co_argcount + code.co_kwonlyargcount])


def refuse_unknown(owner: str, given: Collection[str], names: Collection[str]) -> NoReturn:
    """Raise an UnknownParameterError for the first unknown name; it suggests similar names."""
    known = sorted(name for name in names if name != "self")
    unknown = next(name for name in given if name not in known)
    raise UnknownParameterError(
        f"{owner}: unexpected keyword argument {unknown!r}. {advice_on(unknown, known)}"
    )


def advice_on(unknown: str, known: list[str]) -> str:
    """Return a sentence with the ``known`` parameters that are similar to the unknown one, or with all."""
    if not known:
        return "It has no parameters."
    from difflib import get_close_matches

    typed = unknown.lower()
    meant = get_close_matches(typed, known, 1, _NEARLY_EQUAL)
    meant = meant or [name for name in known if typed in name] or get_close_matches(typed, known, 1)
    if 1 <= len(meant) <= _MAX_SUGGESTIONS:
        return f"Did you mean {' or '.join(meant)}?"
    return f"Its parameters are {', '.join(known)}."


def warn_retired(what: str, advice: str, stack_level: int = _STACK_LEVEL - 1) -> None:
    """Warn that something has been retired, with advice: a sentence without its full stop.

    A ``stack_level`` of 3 is the caller of the function that calls this.
    """
    warnings.warn(f"{what} has been retired: {advice}.", DeprecationWarning, stacklevel=stack_level)


def refusing_class(name: str, reason: str) -> type:
    """Return a class in the place of a missing one, whose constructor raises ConfigurationError.

    A script that imports the name, and does not use it, runs. The reason is a sentence without its subject,
    the name, and its full stop.
    """

    def refuse(self: object, *args: object, **kwargs: object) -> NoReturn:
        raise ConfigurationError(f"{name} {reason}.")

    return type(name, (), {"__init__": refuse, "__doc__": f"A name for imports; it {reason}."})


def replace_retired(owner: str, retired: Mapping[str, Retired], arguments: dict[str, Any]) -> None:
    """Replace the retired ones among the arguments of a call, with a warning for the caller's caller."""
    for name in retired.keys() & arguments.keys():
        entry, value = retired[name], arguments.pop(name)
        if entry.new in arguments:
            raise ConfigurationError(
                f"{owner}: both {name}={value!r} and {entry.new}={arguments[entry.new]!r} are given. "
                f"{name} is the older spelling: leave it out"
            )
        try:
            converted = value if entry.convert is None else entry.convert(value)
        except ValueError as error:
            raise ConfigurationError(
                f"{owner}: {name}={value!r} has been retired, and there is no equivalent: {error}"
            ) from None
        if entry.new is not None:
            arguments[entry.new] = converted
        warn_retired(f"{owner}: {name}", entry.advice, _STACK_LEVEL)
