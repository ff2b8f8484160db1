"""Findings: what checks of a configuration report, one sentence each."""

from __future__ import annotations

from typing import NamedTuple

#: The levels: all is well; worth knowing; may fail, or wastes something; would fail.
OK, NOTE, WARNING, ERROR = "ok", "note", "warning", "error"


def with_advice(text: str, advice: str) -> str:
    """Return what has happened, and what the user can do, as sentences."""
    text = text.rstrip()
    if not advice:
        return text
    return f"{text if text.endswith(('.', '!', '?', '.)')) else text + '.'} {advice}"


class Finding(NamedTuple):
    """One sentence about a configuration."""

    #: OK, NOTE, WARNING or ERROR.
    level: str
    #: The subject of the sentence in a word or two.
    topic: str
    text: str
    #: What the user can do; empty if nothing, or if the text contains it.
    advice: str = ""

    def __str__(self) -> str:
        return with_advice(self.text, self.advice)


class Topic:
    """Makes the findings about one topic."""

    def __init__(self, name: str) -> None:
        self.name = name

    def finding(self, level: str, text: str, advice: str = "") -> Finding:
        return Finding(level, self.name, text, advice)

    def ok(self, text: str) -> Finding:
        return Finding(OK, self.name, text)

    def note(self, text: str, advice: str = "") -> Finding:
        return Finding(NOTE, self.name, text, advice)

    def warning(self, text: str, advice: str = "") -> Finding:
        return Finding(WARNING, self.name, text, advice)

    def error(self, text: str, advice: str = "") -> Finding:
        return Finding(ERROR, self.name, text, advice)


def errors_of(findings: list[Finding]) -> list[str]:
    """Return the texts of the errors among findings, each with its advice."""
    return [str(one) for one in findings if one.level == ERROR]
