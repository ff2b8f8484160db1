"""Older spellings of arguments: accepted, each with one warning that says what to write now."""

from __future__ import annotations

import warnings
from functools import wraps

from parsl.common.parameter_names import parameter_names, refuse_unknown
from parsl.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

#: From :func:`warnings.warn` to the call that used the older spelling.
_STACK_LEVEL = 4


class Retired:
    """An argument that there was once.

    Args:
        advice: What to do now, as a sentence without its full stop.
        new: The argument that took its place; None if nothing did.
        convert: Makes the new argument's value of the old one's; may raise ``ValueError`` with what is to
            be done about a value that has no equivalent.
    """

    def __init__(
        self, advice: str, new: str | None = None, convert: Callable[[Any], Any] | None = None
    ) -> None:
        self.advice = advice
        self.new = new
        self.convert = convert


def renamed(new: str) -> Retired:
    """An argument that has another name now."""
    return Retired(f"write {new} instead", new)


def accepts_retired(**retired: Retired) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make an ``__init__`` take retired keyword arguments too, and refuse unknown ones with a suggestion.

    They are no part of its signature: type checkers and ``inspect`` show what to write now.
    """

    def decorate(init: Callable[P, R]) -> Callable[P, R]:
        names = parameter_names(init)

        @wraps(init)
        def accepting(*args: P.args, **kwargs: P.kwargs) -> R:
            if not names.issuperset(kwargs):
                owner = type(args[0]).__name__
                _replace(owner, retired, kwargs)
                if not names.issuperset(kwargs):
                    refuse_unknown(owner, kwargs, names)
            return init(*args, **kwargs)

        return accepting

    return decorate


def warn_retired(what: str, advice: str, stack_level: int = _STACK_LEVEL - 1) -> None:
    """Say that something has been retired.

    Args:
        what: What was used.
        advice: What to do now, as a sentence without its full stop.
        stack_level: As for :func:`warnings.warn`, plus one: 3 is the caller of the function that calls this.
    """
    warnings.warn(f"{what} has been retired: {advice}.", DeprecationWarning, stacklevel=stack_level)


def _replace(owner: str, retired: dict[str, Retired], arguments: dict[str, Any]) -> None:
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
