"""Runs all checks of a configuration, and reports what they find as text or as data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import wrap
from typing import Any, NamedTuple

from parsl.cli import counted
from parsl.cli.checkup.directories import check_directories
from parsl.cli.checkup.host import check_addresses, check_blocks, check_commands
from parsl.cli.checkup.job_script import check_directives, check_dry_run, job_files
from parsl.cli.checkup.launchers import check_launcher
from parsl.cli.checkup.queue_limits import check_queue
from parsl.cli.checkup.service import check_service
from parsl.cli.checkup.subject import CheckOptions, Subject
from parsl.cli.checkup.worker_init import check_worker_init, probe_subject
from parsl.cli.checkup.workers import check_workers
from parsl.config import Config
from parsl.vocabulary.findings import ERROR, WARNING, Finding, Topic

_DOCTOR, _JOB_SCRIPT = Topic("doctor"), Topic("job script")
#: Each returns no findings about subjects to which it does not apply.
_CHECKS = (
    check_commands,
    check_queue,
    check_directives,
    check_dry_run,
    check_service,
    check_launcher,
    check_worker_init,
    check_workers,
    check_blocks,
    check_addresses,
    check_directories,
)
#: The levels of findings, the worst first, with the words that a report begins them with.
_MARKS = {"error": "ERROR  ", "warning": "WARNING", "note": "note   ", "ok": "ok     "}
_WIDTH = 100


class Examination(NamedTuple):
    """The findings about an executor."""

    label: str
    executor: str
    #: The class of the provider; empty without a provider.
    provider: str
    #: The files of a job, text by path.
    job_files: dict[str, str]
    findings: list[Finding]


def examine(config: Config, options: CheckOptions) -> list[Examination]:
    """Check all executors of a configuration."""
    return [
        _examine(Subject(config, executor, getattr(executor, "provider", None), options))
        for executor in config.executors
    ]


def _examine(subject: Subject) -> Examination:
    findings: list[Finding] = []

    @contextmanager
    def guarded() -> Iterator[None]:
        """A check that fails on an unusual provider must not prevent the others."""
        try:
            yield
        except Exception as error:
            text = f"a check could not be made: {type(error).__name__}: {error}"
            findings.append(_DOCTOR.warning(text))

    try:
        subject = subject._replace(job_files=job_files(subject))
    except Exception as error:
        findings.append(_JOB_SCRIPT.error(f"it cannot be made: {error}"))
    if subject.options.run_worker_init:
        with guarded():
            subject = subject._replace(probe=probe_subject(subject))
    for check in _CHECKS:
        with guarded():
            findings += check(subject)
    return Examination(
        label=str(getattr(subject.executor, "label", "")),
        executor=type(subject.executor).__name__,
        provider="" if subject.provider is None else subject.provider_name,
        job_files=dict(subject.job_files),
        findings=findings,
    )


class Report(NamedTuple):
    """All findings about a file."""

    target: str
    #: The findings about the file itself.
    findings: list[Finding]
    #: The examinations of the executors, by the name of the configuration.
    examinations: dict[str, list[Examination]]

    def entries(self) -> list[tuple[str, Examination]]:
        """Return all examinations, each with the name of its configuration."""
        return [(name, entry) for name, entries in self.examinations.items() for entry in entries]

    def number_of(self, level: str) -> int:
        findings = [*self.findings, *(one for _, entry in self.entries() for one in entry.findings)]
        return sum(finding.level == level for finding in findings)


def as_text(report: Report, with_scripts: bool = False) -> str:
    """Write a report as text: the verdict, the findings, and on request the job scripts."""
    lines = [_verdict(report), *_finding_lines(report.findings)]
    for name, entry in report.entries():
        provider = f" with {entry.provider}" if entry.provider else ""
        lines += ["", f"{name}: {entry.executor} {entry.label!r}{provider}", *_finding_lines(entry.findings)]
    if with_scripts:
        for name, entry in report.entries():
            lines += _script_lines(name, entry)
    elif any(entry.job_files for _, entry in report.entries()):
        lines += ["", "parsl doctor --script also shows the job script."]
    return "\n".join(lines)


def _script_lines(name: str, entry: Examination) -> list[str]:
    lines = []
    for path, text in entry.job_files.items():
        shown = [f"  | {line}".rstrip() for line in text.splitlines()]
        lines += ["", f"{name}: what {entry.label!r} would submit, as {path}", *shown]
    return lines


def _finding_lines(findings: list[Finding]) -> list[str]:
    lines = []
    indent = " " * 10
    style: dict[str, Any] = {"width": _WIDTH, "break_on_hyphens": False, "break_long_words": False}
    for finding in sorted(findings, key=lambda finding: list(_MARKS).index(finding.level)):
        text = f"  {_MARKS[finding.level]} {finding.topic}: {finding.text}"
        lines += wrap(text, subsequent_indent=indent, **style)
        if finding.advice:
            advice = f"-> {finding.advice}"
            lines += wrap(advice, initial_indent=indent, subsequent_indent=indent + "   ", **style)
    return lines


def _verdict(report: Report) -> str:
    errors, warnings = report.number_of(ERROR), report.number_of(WARNING)
    if not errors and not warnings:
        return "Nothing was found that would fail."
    numbers = {"error": errors, "warning": warnings}
    found = ", ".join(counted(number, noun) for noun, number in numbers.items() if number)
    return f"{found}: {report.target} would fail." if errors else f"{found}: nothing is certain to fail."


def as_data(report: Report) -> dict[str, Any]:
    """Return a report as a value of JSON."""
    return {
        "target": report.target,
        "errors": report.number_of(ERROR),
        "warnings": report.number_of(WARNING),
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
