"""The JSON of ``qstat -F json`` and ``pbsnodes -F json``, as two versions of OpenPBS write it. Pure.

The release prints it by hand: whatever C takes for a number stands there bare (``nan``, ``.5``), and
backslashes of some values are not escaped, so that the answer need not be JSON. The main branch uses a
library.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Union

from parsl.testing.schedulers.pbs.attributes import Attributes, Member

RELEASE = "v23.06.06"
MAIN = "main-2026-04"

#: What strtod(3) takes for a number.
_C_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
_JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
#: Attributes that the main branch knows to be text, whatever they look like.
_TEXTS = frozenset(["Account_Name", "Job_Name", "queue", "project", "comment", "Submit_arguments"])
#: The values that the release does not escape.
_UNESCAPED = "Submit_arguments"
#: How many backslashes each makes of one in a variable, before JSON doubles them.
_BACKSLASHES = {RELEASE: {"-v": 2, "-V": 2}, MAIN: {"-v": 4, "-V": 2}}

#: A tree to print: pairs of a name and a finished value or a tree.
Tree = Sequence[tuple[str, Union[str, "Tree"]]]


def render_answer(
    flavour: str, server: str, now_s: float, what: str, members: Iterable[tuple[str, Attributes]] | None
) -> str:
    """Write a whole answer.

    Args:
        flavour: Which version answers.
        server: Its name.
        now_s: The time, in seconds since the epoch.
        what: ``Jobs`` or ``nodes``.
        members: Names and attributes; without any, the answer has no ``Jobs`` at all.
    """
    tree: list[tuple[str, str | Tree]] = [
        ("timestamp", str(int(now_s))),
        ("pbs_version", '"23.06.06"'),
        ("pbs_server", f'"{server}"'),
    ]
    found = [(name, _tree(flavour, attributes)) for name, attributes in members or ()]
    if found:
        tree.append((what, found))
    text = "\n".join(_lines(tree, 0, flavour == MAIN))
    # The release ends the line only behind jobs.
    return text if flavour == RELEASE and not found else text + "\n"


def _tree(flavour: str, attributes: Attributes) -> Tree:
    return [
        (name, _leaf(flavour, name, value) if isinstance(value, str) else _members(flavour, value))
        for name, value in attributes
    ]


def _members(flavour: str, members: Sequence[Member]) -> Tree:
    return [(member.name, _leaf(flavour, member.name, member.value, member.source)) for member in members]


def _leaf(flavour: str, name: str, value: str, source: str = "") -> str:
    if is_bare(flavour, name, value):
        return f"{float(value):.15g}" if flavour == MAIN else value
    backslashes = _BACKSLASHES[flavour].get(source, 1)
    if name != _UNESCAPED or flavour == MAIN:
        value = value.replace("\\", "\\" * (2 * backslashes))
    if flavour == MAIN and source:
        value = value.replace('"', '\\\\"').replace("'", "\\\\'")
    text = value.replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{text}"'


def is_bare(flavour: str, name: str, value: str) -> bool:
    """Whether a value stands in the answer without quotes."""
    if flavour == RELEASE:
        return _C_NUMBER.fullmatch(value) is not None
    return name not in _TEXTS and _JSON_NUMBER.fullmatch(value) is not None


def _lines(tree: Tree, depth: int, has_tabs: bool) -> list[str]:
    indent, colon = ("\t", ":\t") if has_tabs else ("    ", ":")
    lines = ["{"]
    for name, value in tree:
        below = [value] if isinstance(value, str) else _lines(value, depth + 1, has_tabs)
        lines.append(f'{indent * (depth + 1)}"{name}"{colon}{below[0]}')
        lines += below[1:]
        lines[-1] += ","
    if tree:
        lines[-1] = lines[-1][:-1]
    lines.append(indent * depth + "}")
    return lines
