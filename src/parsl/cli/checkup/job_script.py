"""The job script: what it would be, and the scheduler's dry run of it."""

from __future__ import annotations

import os

from parsl.cli.checkup.finding import ERROR, NOTE, OK, WARNING, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.cli.checkup.subject import Subject
    from parsl.providers.cluster_provider import ClusterProvider

_DRY_RUN = "dry run"


def job_files(subject: Subject) -> dict[str, str]:
    """Return the files of a job as they would be submitted, text by path; none where there are no jobs.

    Raises:
        ConfigurationError: The command for the job cannot be put together.
        ScriptPathError: The template of the script is missing.
    """
    batch = subject.batch
    if batch is None:
        return {}
    label = getattr(subject.executor, "label", "executor")
    command = _command(subject, label)
    # The directory is known when the executor starts; the first run's is as good as any.
    before, batch.script_dir = batch.script_dir, os.path.join(_executor_dir(subject, label), "submit_scripts")
    try:
        return batch.preview(command, 1, f"parsl.{label}.block-0")
    finally:
        batch.script_dir = before


def _executor_dir(subject: Subject, label: str) -> str:
    return os.path.join(os.path.abspath(subject.config.run_dir), "000", label)


def _command(subject: Subject, label: str) -> str:
    if not subject.is_htex:
        return f"(the command that {type(subject.executor).__name__} starts its workers with)"
    from parsl.executors.high_throughput.driver.launch_command import launch_command
    from parsl.executors.high_throughput.wire.settings import SETTINGS_FILE, ManagerSettings

    settings = ManagerSettings(addresses=["ADDRESS"], port=0)
    file = os.path.join(_executor_dir(subject, label), SETTINGS_FILE)
    return launch_command(type(subject.executor).__name__, subject.executor.launch_cmd, file, "0", settings)


def check_dry_run(subject: Subject, files: dict[str, str], is_asked: bool, timeout_s: float) -> list[Finding]:
    """Have the scheduler check the script without running it, where it can do that.

    Args:
        subject: What is checked.
        files: The job's files.
        is_asked: Whether the user wants that; it uses up a job id.
        timeout_s: How long the command may take, in seconds.
    """
    batch = subject.batch
    if batch is None or not files:
        return []
    options = _dry_run_options(batch)
    if options is None:
        text = (
            f"{subject.provider_name}'s scheduler has none: it may still refuse account, queue or resources."
        )
        return [Finding(NOTE, _DRY_RUN, text)]
    shown = " ".join(options)
    if not is_asked:
        text = f"not done, as you wish: `{shown}` would check the job."
        return [Finding(NOTE, _DRY_RUN, text)]
    return _dry_run(options, list(files.items())[-1], timeout_s)


def _dry_run_options(batch: ClusterProvider) -> list[str] | None:
    from parsl.providers import GridEngineProvider, SlurmProvider

    if isinstance(batch, SlurmProvider):
        return ["sbatch", "--test-only"]
    return ["qsub", "-w", "v"] if isinstance(batch, GridEngineProvider) else None


def _dry_run(options: list[str], script: tuple[str, str], timeout_s: float) -> list[Finding]:
    from tempfile import TemporaryDirectory

    from parsl.common.commands import CommandNotStarted, run_command

    path, text = script
    with TemporaryDirectory(prefix="parsl-doctor-") as directory:
        copy = os.path.join(directory, os.path.basename(path))
        with open(copy, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        try:
            result = run_command([*options, copy], timeout_s)
        except CommandNotStarted as error:
            return [Finding(ERROR, _DRY_RUN, str(error))]
    said = " ".join(f"{result.stdout} {result.stderr}".split())
    shown = " ".join(options)
    if result.timed_out:
        return [Finding(WARNING, _DRY_RUN, f"`{shown}` did not answer within {timeout_s:g} s.")]
    if result.exit_code:
        return [Finding(ERROR, _DRY_RUN, f"`{shown}` refuses the job: {said}")]
    return [Finding(OK, _DRY_RUN, f"`{shown}` takes the job: {said}")]
