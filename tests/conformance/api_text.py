"""Reads api.txt: the public names of upstream Parsl, with their parameters and defaults, as text.

The lines are what ``inspect`` shows, so they are not quite Python (``= <RandomManagerSelector>``,
``Queue of <multiprocessing.context.DefaultContext>``). They are taken apart by brackets, quotes and commas.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

_BRACKETS = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class Parameter:
    """A parameter: ``default`` is its text, or None when there is none."""

    name: str
    default: str | None
    #: "positional", "keyword", "args" or "kwargs"
    kind: str


@dataclass(frozen=True)
class Name:
    """Something public: a function, class, constant, property, or a name of ``__all__``."""

    path: str
    #: "def", "class", "property", "value" or "exported"
    kind: str
    parameters: tuple[Parameter, ...] | None = None
    bases: tuple[str, ...] = ()
    value: str | None = None
    #: Whether it is a member of a class.
    member: bool = False


@dataclass
class Module:
    """A module and its public names."""

    path: str
    names: list[Name] = field(default_factory=list)


def read_modules(text: str) -> list[Module]:
    """Read api.txt; an unreadable line is an error."""
    modules: list[Module] = []
    owner = ""
    for line in text.splitlines():
        if re.fullmatch(r"parsl[\w.]*", line):
            modules.append(Module(line))
        elif line.startswith("      "):
            modules[-1].names.append(_name(owner, line.strip(), member=True))
        elif line.startswith("  __all__ = "):
            exported = dict.fromkeys(line.partition(" = ")[2].split(", "))
            modules[-1].names += [Name(f"{modules[-1].path}.{name}", "exported") for name in exported]
        elif line.startswith("  "):
            name = _name(modules[-1].path, line.strip(), member=False)
            modules[-1].names.append(name)
            owner = name.path
        elif line.strip() and modules:
            raise ValueError(f"not understood: {line!r}")
    _inherit_parameters(modules)
    return modules


def _inherit_parameters(modules: list[Module]) -> None:
    """Exceptions without an ``__init__`` have the parameters of their base class."""
    classes = {
        name.path.rpartition(".")[2]: name for module in modules for name in module.names if name.bases
    }
    for module in modules:
        for place, name in enumerate(module.names):
            base = classes.get(name.bases[0]) if name.bases else None
            if name.parameters is None and base and base.parameters and name.bases[0].endswith("Error"):
                module.names[place] = replace(name, parameters=base.parameters)


def _name(owner: str, line: str, *, member: bool) -> Name:
    if match := re.match(r"def (\w+)\(", line):
        parameters = read_parameters(_inside(line, match.end() - 1))
        return Name(f"{owner}.{match[1]}", "def", parameters, member=member)
    if match := re.match(r"class (\w+)\(", line):
        bases = _inside(line, match.end() - 1)
        rest = line[match.end() + len(bases) + 1 :]
        made = re.match(r": __init__\(", rest)
        parameters = read_parameters(_inside(rest, made.end() - 1)) if made else None
        return Name(f"{owner}.{match[1]}", "class", parameters, tuple(filter(None, bases.split(", "))))
    if match := re.fullmatch(r"property (\w+)", line):
        return Name(f"{owner}.{match[1]}", "property", member=member)
    if match := re.fullmatch(r"(\w+) = (.*)", line):
        return Name(f"{owner}.{match[1]}", "value", value=match[2], member=member)
    raise ValueError(f"not understood: {line!r}")


def read_parameters(text: str) -> tuple[Parameter, ...]:
    """The parameters in what stands between a signature's brackets; without ``self`` or ``cls``."""
    parameters: list[Parameter] = []
    kind = "positional"
    for part in _split(text, ","):
        declared, default = _declaration(part)
        if declared == "*":
            kind = "keyword"
        elif declared.startswith("**"):
            parameters.append(Parameter(declared[2:], None, "kwargs"))
        elif declared.startswith("*"):
            parameters.append(Parameter(declared[1:], None, "args"))
            kind = "keyword"
        elif declared not in ("self", "cls"):
            parameters.append(Parameter(declared, default, kind))
    return tuple(parameters)


def _declaration(part: str) -> tuple[str, str | None]:
    declared, *default = _split(part, "=")
    return _split(declared, ":")[0], "=".join(default) if default else None


def _inside(text: str, at: int) -> str:
    """What is between the bracket at a place and the one that closes it."""
    depth = 0
    for place, character in _outside_quotes(text):
        if place >= at and character in _BRACKETS:
            depth += 1
        elif place >= at and character in _BRACKETS.values():
            depth -= 1
            if depth == 0:
                return text[at + 1 : place]
    raise ValueError(f"a bracket is not closed: {text!r}")


def _split(text: str, separator: str) -> list[str]:
    """The parts of a text between separators that are in no brackets and no quotes."""
    depth, parts, begin = 0, [], 0
    for place, character in _outside_quotes(text):
        depth += (character in _BRACKETS) - (character in _BRACKETS.values())
        if character == separator and depth == 0:
            parts.append(text[begin:place].strip())
            begin = place + 1
    last = text[begin:].strip()
    return [*parts, last] if last or parts else []


def _outside_quotes(text: str) -> Iterator[tuple[int, str]]:
    quote = ""
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        else:
            yield place, character
