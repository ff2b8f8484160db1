"""Whether the scheduler's commands are there, and are the scheduler's."""

from __future__ import annotations

import shutil

from parsl.cli.checkup.finding import ERROR, OK, WARNING, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.cli.checkup.subject import Subject
    from parsl.providers.batch.dialect import Dialect

_TOPIC = "scheduler"
_VERSION_TIMEOUT_S = 10


def check_commands(subject: Subject) -> list[Finding]:
    """Look for the commands on the PATH."""
    if subject.batch is None:
        return []
    names = command_names(subject.batch.dialect)
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        are = "is" if len(missing) == 1 else "are"
        needs = f"{subject.provider_name} needs {', '.join(names)}"
        text = f"{', '.join(missing)} {are} not on the PATH here: {needs}."
        advice = (
            "Run on a login node of the machine, and load the scheduler's module if it has one. To try it "
            "without the scheduler: python -m parsl.testing.schedulers --help"
        )
        return [Finding(ERROR, _TOPIC, text, advice)]
    found = Finding(OK, _TOPIC, f"{', '.join(names)} are there: {shutil.which(names[0])}")
    return [found, *_check_family(subject, names[0])]


def command_names(dialect: Dialect) -> list[str]:
    """Return the commands that submit, tell of and cancel jobs."""
    commands = (
        dialect.submit_command("x"),
        dialect.status_queries[0].command(["1"]),
        dialect.cancel_command(["1"]),
    )
    return list(dict.fromkeys(command[0] for command in commands))


def _check_family(subject: Subject, submit: str) -> list[Finding]:
    """Grid Engine's commands have the names of those of PBS."""
    from parsl.common.commands import CommandNotStarted, run_command
    from parsl.providers import PBSProProvider

    if not isinstance(subject.provider, PBSProProvider):
        return []
    try:
        result = run_command([submit, "--version"], _VERSION_TIMEOUT_S)
    except CommandNotStarted as error:
        return [Finding(ERROR, _TOPIC, str(error))]
    if result.timed_out or "pbs_version" in result.stdout + result.stderr:
        return []
    path = shutil.which(submit)
    text = f"{path} does not look like that of PBS Pro: `{submit} --version` names no pbs_version."
    return [
        Finding(WARNING, _TOPIC, text, "Other schedulers have commands of the same names: look at the PATH.")
    ]
