"""What was found, for people and for programs."""

from __future__ import annotations

from typing import Any, NamedTuple

from parsl.cli.checkup.examination import Examination
from parsl.cli.checkup.finding import ERROR, WARNING, Finding, count

_MARKS = {"ok": "ok     ", "note": "note   ", "warning": "WARNING", "error": "ERROR  "}
_WIDTH = 100


class Report(NamedTuple):
    """All that was found about a file."""

    target: str
    #: About the file itself.
    findings: list[Finding]
    #: By the configuration's name.
    examinations: dict[str, list[Examination]]

    @property
    def all_findings(self) -> list[Finding]:
        """Those about the file, and those about executors."""
        inner = [entry.findings for entries in self.examinations.values() for entry in entries]
        return [*self.findings, *(finding for findings in inner for finding in findings)]

    @property
    def errors(self) -> int:
        """How many things would fail."""
        return count(self.all_findings, ERROR)

    @property
    def warnings(self) -> int:
        """How many things may fail."""
        return count(self.all_findings, WARNING)


def as_text(report: Report, with_scripts: bool = True) -> str:
    """Write a report for people: job scripts first, so that what was found is on the screen at the end."""
    lines: list[str] = []
    if with_scripts:
        for name, entries in report.examinations.items():
            for entry in entries:
                lines += _script_lines(name, entry)
    lines += _finding_lines(report.findings)
    for name, entries in report.examinations.items():
        for entry in entries:
            provider = f" with {entry.provider}" if entry.provider else ""
            lines += [
                "",
                f"{name}: {entry.executor} {entry.label!r}{provider}",
                *_finding_lines(entry.findings),
            ]
    return "\n".join([*lines, "", _summary(report)]).lstrip("\n")


def _script_lines(name: str, entry: Examination) -> list[str]:
    lines = []
    for path, text in entry.job_files.items():
        shown = [f"  | {line}".rstrip() for line in text.splitlines()]
        lines += ["", f"{name}: what {entry.label!r} would submit, as {path}", *shown]
    return lines


def _finding_lines(findings: list[Finding]) -> list[str]:
    from textwrap import wrap

    lines = []
    for finding in findings:
        start = f"  {_MARKS[finding.level]} {finding.topic}: "
        indent = " " * 10
        lines += wrap(
            f"{start}{finding.text}",
            _WIDTH,
            subsequent_indent=indent,
            break_on_hyphens=False,
            break_long_words=False,
        )
        if finding.advice:
            lines += wrap(
                f"-> {finding.advice}",
                _WIDTH,
                initial_indent=indent,
                subsequent_indent=indent + "   ",
                break_on_hyphens=False,
                break_long_words=False,
            )
    return lines


def _summary(report: Report) -> str:
    errors, warnings = report.errors, report.warnings
    if not errors and not warnings:
        return "Nothing was found that would fail."
    counted = [_counted(errors, "error"), _counted(warnings, "warning")]
    found = ", ".join(filter(None, counted))
    return f"{found}." if errors else f"{found}: nothing is certain to fail."


def _counted(number: int, noun: str) -> str:
    return "" if not number else f"{number} {noun}{'' if number == 1 else 's'}"


def as_data(report: Report) -> dict[str, Any]:
    """Return a report as what JSON can hold."""
    return {
        "target": report.target,
        "errors": report.errors,
        "warnings": report.warnings,
        "findings": [finding._asdict() for finding in report.findings],
        "configs": [
            {
                "name": name,
                "executors": [
                    {**entry._asdict(), "findings": [finding._asdict() for finding in entry.findings]}
                    for entry in entries
                ],
            }
            for name, entries in report.examinations.items()
        ],
    }
