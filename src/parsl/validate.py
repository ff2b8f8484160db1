"""Checks of constructor parameters, with errors that name what was expected; see :func:`assign`.

Each declaration (``Integer``) stands for a function ``integer(owner, name, value, ...) -> value`` with the
same arguments, where ``owner`` is the object under construction, or a name to show instead. ``optional``
allows None. A ``bool`` is not accepted as a number.
"""

# ruff: noqa: D103, F811 - it does not take the local stand-in for typing.overload as one

from __future__ import annotations

from parsl.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any, Concatenate, Literal, NoReturn, ParamSpec, TypeVar, overload

    P = ParamSpec("P")
    T = TypeVar("T")
    Kinds = type[T] | tuple[type[T], ...]
else:

    def overload(function):  # the real one would cost an import of typing
        return function


_SHOWN_CHARS = 100
#: The attribute of a class with the parameters that it declares, by their names.
_TABLE = "_declared_parameters"


class ParameterError(ConfigurationError):
    """The value of a parameter cannot be used."""


class ParameterTypeError(ParameterError, TypeError):
    """The value of a parameter is of the wrong type."""


class ParameterValueError(ParameterError, ValueError):
    """The value of a parameter is of the right type, but not allowed."""


def wrong_type(owner: object, name: str, value: object, expected: str) -> NoReturn:
    """Refuse ``value`` because of its type; ``expected`` follows the word "expected" in the message."""
    raise ParameterTypeError(_message(owner, name, value, expected))


def wrong_value(owner: object, name: str, value: object, expected: str) -> NoReturn:
    """Refuse ``value``, whose type is right; ``expected`` follows the word "expected" in the message."""
    raise ParameterValueError(_message(owner, name, value, expected))


@overload
def integer(owner: object, name: str, value: object, *, low: int | None = None, high: int | None = None,
            optional: Literal[False] = False) -> int: ...  # fmt: skip
@overload
def integer(owner: object, name: str, value: object, *, low: int | None = None, high: int | None = None,
            optional: bool) -> int | None: ...  # fmt: skip
def integer(
    owner: object, name: str, value: object, *, low: Any = None, high: Any = None, optional: bool = False
) -> int | None:
    """Check a whole number, ``low <= value <= high``; other libraries' integers become ``int``."""
    if value is None and optional:
        return None
    expected = _or_none("an integer" + _bounds(low, high), optional)
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        wrong_type(owner, name, value, expected)
    whole = int(value)
    if (low is not None and whole < low) or (high is not None and whole > high):
        wrong_value(owner, name, value, expected)
    return whole


@overload
def number(owner: object, name: str, value: object, *, low: float | None = None, high: float | None = None,
           above: float | None = None, optional: Literal[False] = False,
           finite: bool = True) -> float: ...  # fmt: skip
@overload
def number(owner: object, name: str, value: object, *, low: float | None = None, high: float | None = None,
           above: float | None = None, optional: bool, finite: bool = True) -> float | None: ...  # fmt: skip
def number(
    owner: object, name: str, value: object, *, low: Any = None, high: Any = None, above: Any = None,
    optional: bool = False, finite: bool = True,
) -> float | None:  # fmt: skip
    """Check a number, ``low <= value <= high`` and ``value > above``; infinity only if not ``finite``."""
    if value is None and optional:
        return None
    bounds = _bounds(low, high, above)
    expected = _or_none("a finite number" if finite and not bounds else "a number" + bounds, optional)
    if isinstance(value, bool) or not (hasattr(value, "__float__") or hasattr(value, "__index__")):
        wrong_type(owner, name, value, expected)
    real: float = value if isinstance(value, (int, float)) else float(value)  # type: ignore[arg-type]
    is_inside = (low is None or real >= low) and (high is None or real <= high)
    is_inside = is_inside and (above is None or real > above) and real == real  # NaN is not
    if not is_inside or (finite and abs(real) == float("inf")):
        wrong_value(owner, name, value, expected)
    return real


def boolean(owner: object, name: str, value: object) -> bool:
    """Check a ``bool``."""
    if not isinstance(value, bool):
        wrong_type(owner, name, value, "True or False")
    return value


@overload
def text(owner: object, name: str, value: object, *, optional: Literal[False] = False,
         allow_empty: bool = True, one_line: bool = False) -> str: ...  # fmt: skip
@overload
def text(owner: object, name: str, value: object, *, optional: bool,
         allow_empty: bool = True, one_line: bool = False) -> str | None: ...  # fmt: skip
def text(
    owner: object, name: str, value: object, *, optional: bool = False, allow_empty: bool = True,
    one_line: bool = False,
) -> str | None:  # fmt: skip
    """Check a string without NUL characters, and with ``one_line`` also without line breaks."""
    if value is None and optional:
        return None
    adjectives = ("" if allow_empty else "non-empty ") + ("one-line " if one_line else "")
    expected = _or_none(f"a {adjectives}string", optional)
    if not isinstance(value, str):
        wrong_type(owner, name, value, expected)
    if (not value and not allow_empty) or "\0" in value or (one_line and ("\n" in value or "\r" in value)):
        wrong_value(owner, name, value, expected)
    return value


def choice(owner: object, name: str, value: object, allowed: Collection[T]) -> T:
    """Check that ``value`` is one of ``allowed``; True is not 1."""
    for candidate in allowed:
        if value is candidate or (type(value) is type(candidate) and value == candidate):
            return candidate
    expected = "one of " + ", ".join(repr(candidate) for candidate in allowed)
    if any(type(value) is type(candidate) for candidate in allowed):
        wrong_value(owner, name, value, expected)
    wrong_type(owner, name, value, expected)


def callable_(owner: object, name: str, value: object, *, optional: bool = False) -> Any:
    """Check a callable object."""
    if not callable(value) and not (value is None and optional):
        wrong_type(owner, name, value, _or_none("something callable", optional))
    return value


def instance(
    owner: object, name: str, value: object, kinds: Kinds[T], *, optional: bool = False,
    expected: str | None = None,
) -> Any:  # fmt: skip
    """Check an instance of a class or of one of a tuple of classes; messages name them, or ``expected``."""
    if value is None and optional:
        return None
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in _as_tuple(kinds)):
        names = " or ".join(_with_article(kind.__name__) for kind in _as_tuple(kinds))
        hint = " (a class was given: call it to make one)" if isinstance(value, type) else ""
        wrong_type(owner, name, value, _or_none(expected or names, optional) + hint)
    return value


def list_of(
    owner: object, name: str, value: object, kinds: Kinds[T], *, optional: bool = False,
    allow_empty: bool = True, check: Callable[[object, str, object], Any] | None = None,
) -> Any:  # fmt: skip
    """Check an iterable of instances of ``kinds``, which must not be a single string; returns a new list.

    ``check(owner, "name[index]", item)`` is called for each item, and returns what to keep.
    """
    if value is None and optional:
        return None
    names = " or ".join(kind.__name__ for kind in _as_tuple(kinds))
    expected = _or_none(f"a {'' if allow_empty else 'non-empty '}list of {names}", optional)
    if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__iter__"):
        wrong_type(owner, name, value, expected)
    items: list[Any] = list(value)
    if not items and not allow_empty:
        wrong_value(owner, name, value, expected)
    for index, item in enumerate(items):
        instance(owner, f"{name}[{index}]", item, kinds)
        if check is not None:
            items[index] = check(owner, f"{name}[{index}]", item)
    return items


def port(owner: object, name: str, value: object, *, optional: bool = False) -> int | None:
    """Check a TCP port, 1 to 65535."""
    return integer(owner, name, value, low=1, high=65535, optional=optional)


def port_range(owner: object, name: str, value: object, *, optional: bool = False) -> tuple[int, int] | None:
    """Check ``(first, end)``: the ports from ``first`` up to, but not including, ``end``."""
    if value is None and optional:
        return None
    expected = _or_none("a pair of ports (first, end) with 1 <= first < end <= 65536", optional)
    if not isinstance(value, (tuple, list)):
        wrong_type(owner, name, value, expected)
    if len(value) != 2:
        wrong_value(owner, name, value, expected)
    if not all(isinstance(end, int) and not isinstance(end, bool) for end in value):
        wrong_type(owner, name, value, expected)
    first, end = value
    if not 1 <= first < end <= 65536:
        wrong_value(owner, name, value, expected)
    return (first, end)


class Parameter:
    """The declaration of a parameter: ``check(owner, name, value, *args, **rules)`` returns what to keep.

    The class keeps it in a table and not under its name, so that reading the parameter of an instance costs
    no more than reading any other attribute.
    """

    def __init__(self, check: Callable[..., Any], /, *args: Any, **rules: Any) -> None:
        self.check = check
        self.args = args
        self.rules = rules

    def __set_name__(self, owner: type, name: str) -> None:
        delattr(owner, name)
        if _TABLE not in vars(owner):
            setattr(owner, _TABLE, {})
        vars(owner)[_TABLE][name] = self


def assign(owner: object, arguments: Mapping[str, object]) -> None:
    """Check the declared parameters in ``arguments``, and set an attribute of ``owner`` for each::

        class Provider:
            nodes_per_block = validate.Integer(low=1)
            launcher: Launcher = validate.Custom(check_launcher)  # of (owner, name, value)

            def __init__(self, nodes_per_block: int = 1, ...) -> None:
                validate.assign(self, locals())

    The declarations are those of the class and its bases; other names, such as ``self``, are ignored. A
    parameter that ``__init__`` replaces before the call is checked in its new form. Later assignments are not
    checked. To a type checker a declaration has the type of the value.
    """
    declared: dict[str, Parameter] = {}
    for kind in reversed(type(owner).__mro__):
        declared.update(vars(kind).get(_TABLE, ()))
    for name, value in arguments.items():
        parameter = declared.get(name)
        if parameter is not None:
            setattr(owner, name, parameter.check(owner, name, value, *parameter.args, **parameter.rules))


def Custom(check: Callable[Concatenate[Any, str, Any, P], T], /, *args: P.args, **rules: P.kwargs) -> T:
    """Declare a parameter with a check of one's own, ``check(owner, name, value, *args, **rules)``."""
    return Parameter(check, *args, **rules)  # type: ignore[return-value]


def Choice(allowed: Collection[T]) -> T:
    """Declare a parameter that is one of ``allowed``."""
    return Custom(choice, allowed)


def _declaration(check: Callable[Concatenate[object, str, object, P], T]) -> Callable[P, T]:
    def declare(*args: P.args, **rules: P.kwargs) -> T:
        return Custom(check, *args, **rules)

    return declare


Boolean = _declaration(boolean)
Function = _declaration(callable_)
Instance = _declaration(instance)
Integer = _declaration(integer)
ListOf = _declaration(list_of)
Number = _declaration(number)
Port = _declaration(port)
PortRange = _declaration(port_range)
Text = _declaration(text)


def _message(owner: object, name: str, value: object, expected: str) -> str:
    kind = owner if isinstance(owner, (str, type)) else type(owner)
    shown_owner = kind if isinstance(kind, str) else kind.__name__
    return f"{shown_owner}: {name} is {_shown(value)}; expected {expected}."


def _shown(value: object) -> str:
    if value is None:
        return "None"
    try:
        shown = repr(value)
    except Exception as error:
        shown = f"<object whose repr raises {type(error).__name__}>"
    if len(shown) > _SHOWN_CHARS:
        shown = shown[:_SHOWN_CHARS] + "..."
    return f"{shown} ({type(value).__name__})"


def _bounds(low: float | None, high: float | None, above: float | None = None) -> str:
    if low is not None and high is not None:
        return f" from {low} to {high}"
    bounds = ((">", above), (">=", low), ("<=", high))
    return " and".join(f" {sign} {bound}" for sign, bound in bounds if bound is not None)


def _or_none(expected: str, optional: bool) -> str:
    return f"{expected}, or None" if optional else expected


def _as_tuple(kinds: Kinds[Any]) -> tuple[type[Any], ...]:
    return kinds if isinstance(kinds, tuple) else (kinds,)


def _with_article(noun: str) -> str:
    return ("an " if noun[:1].lower() in "aeiou" else "a ") + noun
