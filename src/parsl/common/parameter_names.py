"""Mistyped names of parameters: refused with the nearest name that there is."""

from __future__ import annotations

from functools import wraps

from parsl.validate import ParameterError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import NoReturn, ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

_HAS_KWARGS = 0x08
_MAX_SUGGESTIONS = 3
#: By difflib's ratio: two letters of a short word have changed places.
_NEARLY_EQUAL = 0.8


class UnknownParameterError(ParameterError, TypeError):
    """There is no parameter of that name."""


def refuses_unknown_names(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function or ``__init__`` refuse keyword arguments that it does not have, with a suggestion."""
    names = parameter_names(function)

    @wraps(function)
    def checking(*args: P.args, **kwargs: P.kwargs) -> R:
        if not names.issuperset(kwargs):
            refuse_unknown(type(args[0]).__name__ if "self" in names else function.__name__, kwargs, names)
        return function(*args, **kwargs)

    return checking


def parameter_names(function: Callable[..., object]) -> frozenset[str]:
    """Return what a function without ``**kwargs`` takes as keyword arguments, ``self`` included.

    It looks at the code object, below decorators: the inspect module would cost more than all else here.
    """
    code = getattr(function, "__wrapped__", function).__code__
    assert not code.co_flags & _HAS_KWARGS, f"{function!r} takes keyword arguments of any name"
    return named_parameters(function)


def named_parameters(function: Callable[..., object]) -> frozenset[str]:
    """Return the parameters of a function that have names, whether it has ``**kwargs`` besides or not."""
    code = getattr(function, "__wrapped__", function).__code__
    return frozenset(code.co_varnames[code.co_posonlyargcount : code.co_argcount + code.co_kwonlyargcount])


def refuse_unknown(owner: str, given: Collection[str], names: Collection[str]) -> NoReturn:
    """Refuse the first name that is unknown.

    Args:
        owner: The class, for the error.
        given: The names of the keyword arguments of the call.
        names: Those that there are, ``self`` included.

    Raises:
        UnknownParameterError: Always; it names what may have been meant.
    """
    known = sorted(name for name in names if name != "self")
    unknown = next(name for name in given if name not in known)
    raise UnknownParameterError(
        f"{owner}: unexpected keyword argument {unknown!r}. {advice_on(unknown, known)}"
    )


def advice_on(unknown: str, known: list[str]) -> str:
    """Say which of the ``known`` parameters may have been meant, or which there are."""
    if not known:
        return "It has no parameters."
    from difflib import get_close_matches

    typed = unknown.lower()
    meant = get_close_matches(typed, known, 1, _NEARLY_EQUAL)
    meant = meant or [name for name in known if typed in name] or get_close_matches(typed, known, 1)
    if 1 <= len(meant) <= _MAX_SUGGESTIONS:
        return f"Did you mean {' or '.join(meant)}?"
    return f"Its parameters are {', '.join(known)}."
