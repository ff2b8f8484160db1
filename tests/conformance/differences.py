"""What differs from upstream, mechanically: each difference has a name, by which docs/compatibility.md gives
its reason.

``parsl.module.name``: it is not there, or not what it should be; ``parsl.module.name(parameter)``: one of its
parameters; ``parsl.module.Class < Base``: it is not derived from that.
"""

from __future__ import annotations

import ast
import enum
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib import import_module
from textwrap import dedent
from typing import Any

from tests.conformance.api_text import Module, Name, Parameter

_ABSENT = object()
#: Bases that a class may have without being derived from them.
_ABSTRACT = {"AbstractContextManager": AbstractContextManager}
_NO_DEFAULT = inspect.Parameter.empty


#: Values that are the version of the Python that runs; the reference was made with 3.11.
_NAMES_THE_PYTHON = {"parsl.executors.radical.rpex_resources.ResourceConfig.python_v"}
_PYTHON = repr(f"{sys.version_info.major}.{sys.version_info.minor}")


def differences(module: Module) -> Iterator[tuple[str, str]]:
    """The name of each difference in a module, and what it is."""
    try:
        found = import_module(module.path)
    except ImportError as error:
        yield from ((name.path, f"there is no module: {error}") for name in module.names)
        return
    for name in module.names:
        yield from _differences(name, found, name.path.removeprefix(f"{module.path}.").split("."))


def _differences(name: Name, module: Any, path: list[str]) -> Iterator[tuple[str, str]]:
    *owners, last = path
    owner = module
    for each in owners:
        owner = getattr(owner, each, _ABSENT)
    if owner is _ABSENT:
        yield name.path, "its class is not there"
        return
    try:
        found = getattr(owner, last, _ABSENT)
    except ImportError as error:
        yield name.path, f"it cannot be imported: {error}"
        return
    if name.kind == "exported":
        if found is _ABSENT or last not in owner.__all__:
            yield name.path, "it is not exported"
    elif name.kind == "property":
        if found is _ABSENT and last not in _instance_attributes(owner):
            yield name.path, "it is not there"
        elif inspect.isroutine(found):
            yield name.path, "it is a method, not a property"
    elif found is _ABSENT:
        if name.kind != "value" or last not in _instance_attributes(owner):
            yield name.path, "it is not there"
    elif name.kind == "value":
        expected = _PYTHON if name.path in _NAMES_THE_PYTHON else name.value or ""
        if not same_value(found, expected):
            yield name.path, f"its value is {found!r}, not {expected}"
    elif name.kind == "class":
        yield from _class_differences(name, found)
    else:
        yield from _call_differences(name, inspect.getattr_static(owner, last) if name.member else found)


def _class_differences(name: Name, found: type) -> Iterator[tuple[str, str]]:
    if not inspect.isclass(found):
        yield name.path, f"it is not a class but {found!r}"
        return
    ancestors = {base.__name__ for base in found.__mro__}
    for base in name.bases:
        if base not in ancestors and not issubclass(found, _ABSTRACT.get(base, ())):
            yield f"{name.path} < {base}", f"its bases are {', '.join(sorted(ancestors))}"
    if name.parameters is not None:
        yield from _parameter_differences(name, _signature(found.__init__))
    elif issubclass(found, BaseException):
        try:
            found("what happened")
        except TypeError as error:
            yield name.path, f"it does not take a message: {error}"


def _call_differences(name: Name, found: Any) -> Iterator[tuple[str, str]]:
    function = found.__func__ if isinstance(found, (classmethod, staticmethod)) else found
    if not callable(function):
        yield name.path, f"it cannot be called: {function!r}"
        return
    yield from _parameter_differences(name, _signature(function))


def _signature(function: Callable[..., Any]) -> list[inspect.Parameter]:
    parameters = inspect.signature(function).parameters.values()
    return [one for one in parameters if one.name not in ("self", "cls")]


def _parameter_differences(name: Name, ours: list[inspect.Parameter]) -> Iterator[tuple[str, str]]:
    theirs = name.parameters or ()
    by_name = {one.name: one for one in ours}
    positional = [one.name for one in ours if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    kinds = {one.kind for one in ours}
    place = 0
    for parameter in theirs:
        key = f"{name.path}({parameter.name})"
        if parameter.kind in ("args", "kwargs"):
            kind = (
                inspect.Parameter.VAR_POSITIONAL
                if parameter.kind == "args"
                else inspect.Parameter.VAR_KEYWORD
            )
            if kind not in kinds:
                yield key, "arguments beyond the named ones are not taken"
            continue
        if parameter.name not in by_name:
            yield key, "it is not there"
        elif parameter.kind == "positional" and parameter.name not in positional[place : place + 1]:
            yield key, f"it is not the parameter number {place + 1}"
        elif not _same_default(by_name[parameter.name], parameter):
            yield key, f"its default is {by_name[parameter.name].default!r}, not {parameter.default}"
        place += parameter.kind == "positional"
    known = {parameter.name for parameter in theirs}
    for one in ours:
        variable = one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
        if one.name not in known and one.default is _NO_DEFAULT and not variable:
            yield f"{name.path}({one.name})", "calls must give it, but upstream has no such parameter"


def _same_default(ours: inspect.Parameter, theirs: Parameter) -> bool:
    if theirs.default is None or ours.default is _NO_DEFAULT:
        return theirs.default is None and ours.default is _NO_DEFAULT
    return same_value(ours.default, theirs.default)


def same_value(ours: object, theirs: str) -> bool:
    """Whether a value is what upstream shows: the same literal, object in angle brackets, or ``repr``."""
    if isinstance(ours, enum.Enum):
        return theirs == f"<{type(ours).__name__}.{ours.name}: {ours.value!r}>"
    try:
        expected = ast.literal_eval(theirs)
    except (SyntaxError, ValueError):
        return "".join(repr(ours).split()) == "".join(theirs.split())
    return type(expected) is type(ours) and expected == ours


def _instance_attributes(owner: type) -> set[str]:
    """What instances have beyond what can be seen at their class."""
    names: set[str] = set()
    for base in owner.__mro__:
        names.update(getattr(base, "__annotations__", ()))
        if base.__module__.startswith("parsl"):
            names.update(_assigned_to_self(base))
    return names


def _assigned_to_self(owner: type) -> Iterator[str]:
    for node in ast.walk(ast.parse(dedent(inspect.getsource(owner)))):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id == "self"
        ):
            yield node.attr
