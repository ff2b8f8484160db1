"""The commands of Parsl, and what they share: the values of options, and how errors are printed."""

from __future__ import annotations

import sys
from typing import NoReturn


def counted(number: int, noun: str) -> str:
    """Return a number with a noun, in the plural if necessary."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def print_error(command: str, text: object) -> None:
    """Print an error of a subcommand on stderr."""
    print(f"parsl {command}: {text}", file=sys.stderr)


def refuse(text: str, expected: str) -> NoReturn:
    """Refuse the value of an option, with what the option expects."""
    import argparse

    raise argparse.ArgumentTypeError(f"{text!r}; expected {expected}")


def seconds(text: str) -> float:
    """Read a positive number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        refuse(text, "a number of seconds above 0")
    return value
