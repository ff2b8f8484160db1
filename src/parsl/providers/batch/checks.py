"""Checks of parameters that several batch providers share."""

from __future__ import annotations

from parsl import validate


def word(owner: object, name: str, value: object) -> str | None:
    """Check the name of a queue, an account and the like: a string without blanks, or None.

    Raises:
        ParameterError: It is something else. An empty string is refused, too: schedulers take it for
            something that was not given, or for an account of that name.
    """
    text = validate.text(owner, name, value, optional=True, allow_empty=False, one_line=True)
    if text is not None and (not text.strip() or any(char.isspace() for char in text)):
        validate.wrong_value(owner, name, value, "a non-empty string without blanks, or None")
    return text


def expression(owner: object, name: str, value: object) -> str | None:
    """Check a value that may have blanks inside, such as a constraint, or None.

    Raises:
        ParameterError: It is empty, has several lines, or is no string.
    """
    text = validate.text(owner, name, value, optional=True, allow_empty=False, one_line=True)
    if text is not None and not text.strip():
        validate.wrong_value(owner, name, value, "a non-empty one-line string, or None")
    return text
