"""The options of bsub, on its command line and in ``#BSUB`` lines. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from parsl.testing.schedulers.pbs.qsub_options import split_words

_PREFIX = "#BSUB"
_VALUED = frozenset(
    [
        "J",
        "W",
        "o",
        "oo",
        "e",
        "eo",
        "P",
        "q",
        "nnodes",
        "n",
        "R",
        "cwd",
        "G",
        "M",
        "alloc_flags",
        "env",
        "L",
        "m",
    ]
)
_FLAGS = frozenset(["x", "H", "K", "r", "rn", "N", "B", "u"])


class BadBsubOption(Exception):
    """An option is none that the stand-in knows."""


def parse_bsub_options(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Read ``-J name -nnodes 2 command``.

    Returns:
        The options without their dashes, and the command.

    Raises:
        BadBsubOption: An option is unknown or lacks its value.
    """
    found: dict[str, str] = {}
    rest = list(words)
    while rest and rest[0].startswith("-"):
        name = rest.pop(0)[1:]
        if name in _FLAGS:
            found[name] = ""
        elif name not in _VALUED:
            raise BadBsubOption(f"{name}: Illegal option")
        elif not rest:
            raise BadBsubOption(f"{name}: Option requires an argument")
        else:
            found[name] = rest.pop(0)
    return found, rest


def directives(script: str) -> dict[str, str]:
    """Collect the options of a script.

    Raises:
        BadBsubOption: An option is unknown or lacks its value.
    """
    found: dict[str, str] = {}
    for line in script.splitlines():
        if line.startswith(_PREFIX):
            options, _ = parse_bsub_options(split_words(line[len(_PREFIX) :]))
            found.update(options)
    return found


def parse_run_limit_s(text: str) -> float | None:
    """Read ``-W [hours:]minutes[/host]``; None if it is none."""
    fields = text.partition("/")[0].split(":")
    if len(fields) > 2 or not all(field.isdigit() for field in fields):
        return None
    minutes = 0
    for field in fields:
        minutes = minutes * 60 + int(field)
    return minutes * 60.0


def processes_per_node(requirements: str, processes: int) -> int:
    """Read ``span[ptile=4]``; without it, all processes go to one node."""
    _, found, rest = requirements.partition("ptile=")
    digits = rest.partition("]")[0].strip()
    return int(digits) if found and digits.isdigit() and int(digits) > 0 else processes
