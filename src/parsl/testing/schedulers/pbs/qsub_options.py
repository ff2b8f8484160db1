"""The command line of qsub, and the same options in a script. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from parsl.testing.schedulers.options import BadOption, parse_short_options
from parsl.testing.schedulers.pbs import refusals
from parsl.testing.schedulers.pbs.resources import parse_resource_list

_FLAGS = "fhIVXz"
_VALUED = "aAcCejJklmMNopPqrRSuvW"
_PREFIX = "#PBS"
_MAX_NAME = 230


class QsubOptions(NamedTuple):
    """What a job's options say, those of the script included."""

    account: str = ""
    queue: str = ""
    name: str = ""
    output_path: str = ""
    error_path: str = ""
    join: str = "n"
    #: Empty: not given.
    keep: str = ""
    shell: str = ""
    rerunnable: bool = True
    is_held: bool = False
    is_interactive: bool = False
    exports_all: bool = False
    not_before: str = ""
    variables: tuple[str, ...] = ()
    resources: tuple[tuple[str, str], ...] = ()
    others: tuple[tuple[str, str], ...] = ()


class CommandLine(NamedTuple):
    """What stands on qsub's command line."""

    options: tuple[tuple[str, str], ...]
    #: None: the script comes on stdin.
    script: str | None
    #: After ``--``, in place of a script.
    command: tuple[str, ...]
    prefix: str


def parse_command_line(arguments: Sequence[str]) -> CommandLine:
    """Read qsub's command line.

    Raises:
        Refusal: As PBS refuses it.
    """
    try:
        options, rest = parse_short_options(arguments, _FLAGS, _VALUED)
    except BadOption as error:
        raise refusals.bad_option(str(error)) from None
    prefix = next((value for letter, value in options if letter == "C"), _PREFIX)
    if rest[:1] == ["--"]:
        return CommandLine(tuple(options), None, tuple(rest[1:]), prefix)
    if len(rest) > 1:
        raise refusals.Refusal(refusals.QSUB_USAGE, 2)
    return CommandLine(tuple(options), rest[0] if rest and rest[0] != "-" else None, (), prefix)


def directives(script: str, prefix: str = _PREFIX) -> list[tuple[str, str]]:
    """Collect the options of a script: those before its first command.

    Raises:
        Refusal: As PBS refuses it.
    """
    found: list[tuple[str, str]] = []
    for line in script.splitlines():
        text = line.strip()
        if prefix and text.startswith(prefix):
            found += _directive(text[len(prefix) :])
        elif text and not text.startswith((":", "#")):
            break
    return found


def _directive(text: str) -> list[tuple[str, str]]:
    words = split_words(text)
    try:
        options, _ = parse_short_options(words, _FLAGS, _VALUED)
    except BadOption as error:
        raise refusals.bad_directive(str(error), " ".join(words)) from None
    return options


def split_words(text: str) -> list[str]:
    """Split the text of a directive into words; quotes keep together what is between them, a # ends it."""
    words: list[str] = []
    word, quote, inside = "", "", False
    for character in text:
        if quote:
            if character == quote:
                quote = ""
            else:
                word += character
        elif character in "'\"":
            quote, inside = character, True
        elif character.isspace():
            if inside:
                words.append(word)
            word, inside = "", False
        elif character == "#" and not inside:
            break
        else:
            word += character
            inside = True
    return [*words, word] if inside else words


def merge_options(command_line: Sequence[tuple[str, str]], script: Sequence[tuple[str, str]]) -> QsubOptions:
    """Put the options together; those of the command line outrank those of the script.

    Raises:
        Refusal: As PBS refuses it.
    """
    values = dict((*reversed(script), *reversed(command_line)))
    everything = (*command_line, *script)
    name = values.get("N", "")
    if "N" in values:
        _check_name(name)
    return QsubOptions(
        account=values.get("A", ""),
        queue=values.get("q", "").partition("@")[0],
        name=name,
        output_path=values.get("o", ""),
        error_path=values.get("e", ""),
        join=values.get("j", "n"),
        keep=values.get("k", ""),
        shell=values.get("S", ""),
        rerunnable=values.get("r", "y") != "n",
        is_held="h" in values,
        is_interactive="I" in values,
        exports_all="V" in values,
        not_before=values.get("a", ""),
        variables=tuple(item for letter, value in everything if letter == "v" for item in split_list(value)),
        resources=tuple(
            pair for letter, value in everything if letter == "l" for pair in parse_resource_list(value)
        ),
        others=tuple((letter, value) for letter, value in everything if letter in "WJ"),
    )


def split_list(text: str) -> list[str]:
    """Split at commas that are not inside quotes; the quotes go."""
    items, quote = [""], ""
    for character in text:
        if character in "'\"" and quote in ("", character):
            quote = "" if quote else character
        elif character == "," and not quote:
            items.append("")
        else:
            items[-1] += character
    return [item for item in items if item]


def named_variables(wanted: Sequence[str], environment: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return what ``-v`` exports: ``NAME=VALUE``, or ``NAME`` with its value here."""
    found = []
    for item in wanted:
        name, equals, value = item.partition("=")
        found.append((name, value if equals else environment.get(name, ""), "-v"))
    return found


def _check_name(name: str) -> None:
    if not name or any(character.isspace() for character in name) or not name.isprintable():
        raise refusals.bad_name()
    if len(name) > _MAX_NAME:
        raise refusals.long_name()
