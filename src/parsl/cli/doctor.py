"""``parsl doctor CONFIG.py``: reports what would fail before it costs queue time."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple

from parsl.cli import counted, seconds
from parsl.cli.checkup.config_loading import load_configs
from parsl.cli.checkup.directories import check_directories
from parsl.cli.checkup.host import check_addresses, check_blocks, check_commands
from parsl.cli.checkup.job_script import check_directives, check_dry_run, job_files
from parsl.cli.checkup.launchers import check_launcher
from parsl.cli.checkup.queue_limits import check_queue
from parsl.cli.checkup.subject import ERROR, WARNING, CheckOptions, Finding, Subject, Topic
from parsl.cli.checkup.worker_init import check_worker_init, probe_subject
from parsl.cli.checkup.workers import check_workers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.config import Config

_DOCTOR, _JOB_SCRIPT = Topic("doctor"), Topic("job script")
#: Each returns no findings about subjects to which it does not apply.
_CHECKS = (
    check_commands,
    check_queue,
    check_directives,
    check_dry_run,
    check_launcher,
    check_worker_init,
    check_workers,
    check_blocks,
    check_addresses,
    check_directories,
)
_MARKS = {"ok": "ok     ", "note": "note   ", "warning": "WARNING", "error": "ERROR  "}
_WIDTH = 100
_DESCRIPTION = """\
Check a configuration: import it, show the job script that would be submitted, and report what would fail.
This runs worker_init on this host, in a shell like that of the job, and lets the scheduler check the job if
it can. Nothing is submitted or started.
The exit code is 1 if something would fail.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if something would fail, otherwise 0."""
    options = _parse(arguments)
    loaded = load_configs(options.config)
    checks = CheckOptions(not options.no_dry_run, not options.no_worker_init, options.timeout)
    examinations = {name: examine(config, checks) for name, config in loaded.configs.items()}
    report = Report(options.config, loaded.findings, examinations)
    if options.json:
        import json

        print(json.dumps(as_data(report), indent=2))
    else:
        print(as_text(report, with_scripts=not options.no_script))
    return 1 if report.number_of(ERROR) else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="parsl doctor", description=_DESCRIPTION)
    parser.add_argument(
        "config",
        metavar="CONFIG.py[:NAME]",
        help="a file or module with a Config; NAME is one of several, or a function that makes one",
    )
    parser.add_argument(
        "--no-dry-run",
        action="store_true",
        help="do not let the scheduler check the job (Slurm: sbatch --test-only; Grid Engine: qsub -w v), "
        "which uses up a job id",
    )
    parser.add_argument("--no-worker-init", action="store_true", help="do not run worker_init here")
    parser.add_argument("--no-script", action="store_true", help="do not show the job script")
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=60.0,
        metavar="SECONDS",
        help="the limit for worker_init and for the scheduler's check (default: %(default)g)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


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
    try:
        subject = subject._replace(job_files=job_files(subject))
    except Exception as error:
        findings.append(_JOB_SCRIPT.error(f"it cannot be made: {error}"))
    if subject.options.run_worker_init:
        try:
            subject = subject._replace(probe=probe_subject(subject))
        except Exception as error:
            findings.append(_not_checked(error))
    for check in _CHECKS:
        # A check that fails on an unusual provider must not prevent the others.
        try:
            findings += check(subject)
        except Exception as error:
            findings.append(_not_checked(error))
    return Examination(
        label=str(getattr(subject.executor, "label", "")),
        executor=type(subject.executor).__name__,
        provider="" if subject.provider is None else subject.provider_name,
        job_files=dict(subject.job_files),
        findings=findings,
    )


def _not_checked(error: Exception) -> Finding:
    return _DOCTOR.warning(f"a check could not be made: {type(error).__name__}: {error}")


class Report(NamedTuple):
    """All findings about a file."""

    target: str
    #: The findings about the file itself.
    findings: list[Finding]
    #: The examinations of the executors, by the name of the configuration.
    examinations: dict[str, list[Examination]]

    def number_of(self, level: str) -> int:
        inner = [entry.findings for entries in self.examinations.values() for entry in entries]
        return sum(finding.level == level for findings in (self.findings, *inner) for finding in findings)


def as_text(report: Report, with_scripts: bool = True) -> str:
    """Write a report as text: job scripts first, so that the findings are on the screen at the end."""
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
        indent = " " * 10
        style: dict[str, Any] = {"width": _WIDTH, "break_on_hyphens": False, "break_long_words": False}
        text = f"  {_MARKS[finding.level]} {finding.topic}: {finding.text}"
        lines += wrap(text, subsequent_indent=indent, **style)
        if finding.advice:
            advice = f"-> {finding.advice}"
            lines += wrap(advice, initial_indent=indent, subsequent_indent=indent + "   ", **style)
    return lines


def _summary(report: Report) -> str:
    errors, warnings = report.number_of(ERROR), report.number_of(WARNING)
    if not errors and not warnings:
        return "Nothing was found that would fail."
    found = ", ".join(
        counted(number, noun) for number, noun in ((errors, "error"), (warnings, "warning")) if number
    )
    return f"{found}." if errors else f"{found}: nothing is certain to fail."


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
