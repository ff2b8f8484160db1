"""Runs all checks of a configuration, in the order in which they are reported."""

from __future__ import annotations

from typing import NamedTuple

from parsl.cli.checkup.directories import check_directories
from parsl.cli.checkup.finding import Finding, Topic
from parsl.cli.checkup.host import check_addresses, check_blocks, check_commands
from parsl.cli.checkup.job_script import check_directives, check_dry_run, job_files
from parsl.cli.checkup.launchers import check_launcher
from parsl.cli.checkup.queue_limits import check_queue
from parsl.cli.checkup.subject import CheckOptions, Subject
from parsl.cli.checkup.worker_init import check_worker_init, probe_subject
from parsl.cli.checkup.workers import check_workers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.config import Config

_DOCTOR, _JOB_SCRIPT = Topic("doctor"), Topic("job script")


class Examination(NamedTuple):
    """The findings about an executor."""

    label: str
    executor: str
    #: The class of the provider; empty without a provider.
    provider: str
    #: The files of a job, text by path.
    job_files: dict[str, str]
    findings: list[Finding]


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
