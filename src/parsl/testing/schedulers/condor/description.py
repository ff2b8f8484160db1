"""The file that condor_submit reads. Pure."""

from __future__ import annotations

import re

_OVERTIME = re.compile(r">\s*\(?\s*(\d+)")


class BadDescription(Exception):
    """It cannot be understood; the message is condor_submit's."""


def parse_description(text: str) -> dict[str, str]:
    """Read ``name = value`` lines up to ``queue``; names in small letters.

    Raises:
        BadDescription: A line is something else, ``queue`` or ``executable`` is missing.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.lower().split()[0] == "queue":
            break
        name, equals, value = line.partition("=")
        if not equals or not re.fullmatch(r"\+?[\w.]+", name.strip()):
            raise BadDescription(
                f"on Line {number} of submit file: \nERROR: Failed to parse command file (line {number})."
            )
        found[name.strip().lower()] = value.strip()
    else:
        raise BadDescription("no 'queue' statement was found")
    if "executable" not in found:
        raise BadDescription("No 'executable' parameter was provided")
    return found


def split_arguments(text: str) -> list[str]:
    """Read ``arguments`` or ``environment`` in the syntax ``"one 'two words' it''s"``, or plain words."""
    if not (len(text) > 1 and text.startswith('"') and text.endswith('"')):
        return text.split()
    words: list[str] = []
    word, is_open, is_quoted = "", False, False
    characters = text[1:-1].replace('""', '"')
    position = 0
    while position < len(characters):
        character = characters[position]
        if is_quoted and characters.startswith("''", position):
            word += "'"
            position += 1
        elif character == "'":
            is_quoted, is_open = not is_quoted, True
        elif character.isspace() and not is_quoted:
            if is_open:
                words.append(word)
            word, is_open = "", False
        else:
            word, is_open = word + character, True
        position += 1
    return [*words, word] if is_open else words


def overtime_s(description: dict[str, str]) -> float | None:
    """Return after how many seconds of running ``periodic_remove`` is true; None: never."""
    match = _OVERTIME.search(description.get("periodic_remove", ""))
    return float(match[1]) if match else None
