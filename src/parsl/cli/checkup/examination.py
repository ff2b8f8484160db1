"""All checks of a configuration, in the order in which they are reported."""

from __future__ import annotations

from typing import NamedTuple

from parsl.cli.checkup import (
    addresses,
    batch_commands,
    blocks,
    directives,
    directories,
    environments,
    job_script,
    launcher_fit,
    queue_limits,
    workers,
)
from parsl.cli.checkup.finding import ERROR, WARNING, Finding
from parsl.cli.checkup.subject import Subject, subjects_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from parsl.cli.checkup.probe import Probe
    from parsl.config import Config


class CheckOptions(NamedTuple):
    """How far the checks may go."""

    #: Whether to have the scheduler check the job, at the cost of a job id.
    dry_run: bool = True
    run_worker_init: bool = True
    #: For worker_init, and for a dry run, in seconds.
    timeout_s: float = 60.0


class Examination(NamedTuple):
    """What was found out about an executor."""

    label: str
    executor: str
    #: Empty if it has none.
    provider: str
    #: The files of a job, text by path.
    job_files: dict[str, str]
    findings: list[Finding]


def examine(config: Config, wishes: CheckOptions) -> list[Examination]:
    """Check all executors of a configuration."""
    return [_examine(subject, wishes) for subject in subjects_of(config)]


def _examine(subject: Subject, wishes: CheckOptions) -> Examination:
    findings: list[Finding] = []

    def add(check: Callable[[], list[Finding]]) -> None:
        findings.extend(_guarded(check))

    files: dict[str, str] = {}
    try:
        files = job_script.job_files(subject)
    except Exception as error:
        findings.append(Finding(ERROR, "job script", f"it cannot be made: {error}"))
    probe = _probe(subject, wishes, findings)
    add(lambda: batch_commands.check_commands(subject))
    add(lambda: queue_limits.check_queue(subject))
    add(lambda: directives.check_directives(subject))
    add(lambda: job_script.check_dry_run(subject, files, wishes.dry_run, wishes.timeout_s))
    add(lambda: launcher_fit.check_launcher(subject, probe))
    add(lambda: environments.check_environment(subject, probe, wishes.timeout_s))
    add(lambda: workers.check_workers(subject, probe))
    add(lambda: blocks.check_blocks(subject))
    add(lambda: addresses.check_addresses(subject))
    add(lambda: directories.check_directories(subject))
    return Examination(
        label=str(getattr(subject.executor, "label", "")),
        executor=type(subject.executor).__name__,
        provider="" if subject.provider is None else subject.provider_name,
        job_files=files,
        findings=findings,
    )


def _probe(subject: Subject, wishes: CheckOptions, findings: list[Finding]) -> Probe | None:
    if not wishes.run_worker_init:
        return None
    try:
        return environments.probe_subject(subject, wishes.timeout_s)
    except Exception as error:
        findings.append(_not_checked(error))
        return None


def _guarded(check: Callable[[], list[Finding]]) -> list[Finding]:
    """One check that meets something unheard-of must not keep the others from their say."""
    try:
        return check()
    except Exception as error:
        return [_not_checked(error)]


def _not_checked(error: Exception) -> Finding:
    return Finding(WARNING, "doctor", f"a check could not be made: {type(error).__name__}: {error}")
