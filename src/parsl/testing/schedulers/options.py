"""Short options in the manner of getopt(3), without importing a module that knows much more."""

from __future__ import annotations

from collections.abc import Sequence


class BadOption(Exception):
    """An option is unknown or lacks its value; the message is getopt's."""


def parse_short_options(
    arguments: Sequence[str], flags: str, valued: str
) -> tuple[list[tuple[str, str]], list[str]]:
    """Read ``-a -bc -dVALUE -d VALUE`` up to the first argument that is no option, or ``--``.

    Args:
        arguments: The command line without the program's name.
        flags: Letters of options that take no value.
        valued: Letters of options that take one.

    Returns:
        The options in their order, each with its value or ""; and the rest, with the ``--`` if there is one.

    Raises:
        BadOption: An option is unknown or lacks its value.
    """
    found: list[tuple[str, str]] = []
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] not in ("-", "--"):
        letters = rest.pop(0)[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in flags:
                found.append((letter, ""))
            elif letter not in valued:
                raise BadOption(f"invalid option -- '{letter}'")
            elif letters:
                found.append((letter, letters))
                letters = ""
            elif rest:
                found.append((letter, rest.pop(0)))
            else:
                raise BadOption(f"option requires an argument -- '{letter}'")
    return found, rest
