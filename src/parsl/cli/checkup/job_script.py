"""Checks of the job script: its text, its lines for the scheduler, and the scheduler's dry run of it."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from tempfile import TemporaryDirectory

from parsl.cli.checkup.subject import Subject
from parsl.common.commands import CommandNotStarted, run_command
from parsl.executors.high_throughput.driver.launch_commands import launch_command
from parsl.executors.high_throughput.wire.settings import SETTINGS_FILE, ManagerSettings
from parsl.providers import GridEngineProvider, PBSProProvider, SlurmProvider, TorqueProvider
from parsl.providers.cluster_provider import ClusterProvider
from parsl.providers.torque.torque import number_of_chunks
from parsl.vocabulary.findings import Finding, Topic

_DRY_RUN, _JOB_SCRIPT = Topic("dry run"), Topic("job script")
#: The prefixes of the lines for the scheduler, by the labels of the providers.
_DIRECTIVES = {"torque": "#PBS", "pbspro": "#PBS", "slurm": "#SBATCH", "LSF": "#BSUB", "grid_engine": "#$"}
#: A comment that is probably meant for a scheduler.
_LOOKS_LIKE_ONE = re.compile(r"#\s*(?:(?:PBS|SBATCH|BSUB)\b|\$(?=\s|$))", re.IGNORECASE)
#: Patterns of options that the job script has already, and the parameters that set them. Parsl uses the
#: parameter, whichever of the two the scheduler uses.
_PBS_SETTINGS = {
    r"-l\s*(?:\S+,)?walltime=": "walltime",
    r"-q\s": "queue",
    r"-A\s": "account",
}
_SETTINGS = {
    "torque": _PBS_SETTINGS,
    "pbspro": _PBS_SETTINGS,
    "slurm": {
        r"(?:-t\s|--time[=\s])": "walltime",
        r"(?:-N\s|--nodes[=\s])": "nodes_per_block",
        r"(?:-p\s|--partition[=\s])": "partition",
        r"(?:-A\s|--account[=\s])": "account",
        r"(?:-q\s|--qos[=\s])": "qos",
    },
    "LSF": {r"-W\s": "walltime", r"-nnodes\s": "nodes_per_block", r"-q\s": "queue", r"-P\s": "project"},
    "grid_engine": {r"-l\s+(?:\S+,)?h_rt=": "walltime", r"-q\s": "queue"},
}
#: Matches the names of ALCF's hosts and PBS servers.
_ALCF = re.compile(r"alcf|aurora|polaris|sunspot|sophia|crux", re.IGNORECASE)


def job_files(subject: Subject) -> dict[str, str]:
    """Return the files of a job as they would be submitted, text by path; empty without jobs."""
    batch = subject.batch
    if batch is None:
        return {}
    label = getattr(subject.executor, "label", "executor")
    command = _command(subject, label)
    # The real directory is only known when the executor starts; show that of the first run.
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
    settings = ManagerSettings(addresses=["ADDRESS"], port=0)
    file = os.path.join(_executor_dir(subject, label), SETTINGS_FILE)
    return launch_command(type(subject.executor).__name__, subject.executor.launch_cmd, file, "0", settings)


def check_dry_run(subject: Subject) -> list[Finding]:
    """Let the scheduler check the script without running it, if it can do that."""
    if subject.batch is None or not subject.job_files:
        return []
    if isinstance(subject.batch, SlurmProvider):
        options = ["sbatch", "--test-only"]
    elif isinstance(subject.batch, GridEngineProvider):
        options = ["qsub", "-w", "v"]
    else:
        text = (
            f"the scheduler of {subject.provider_name} has none: "
            "it may still refuse account, queue or resources."
        )
        return [_DRY_RUN.note(text)]
    shown = " ".join(options)
    if not subject.options.dry_run:
        text = f"not done because of --no-dry-run: `{shown}` would check the job."
        return [_DRY_RUN.note(text)]
    return _dry_run(options, list(subject.job_files.items())[-1], subject.options.timeout_s)


def _dry_run(options: list[str], script: tuple[str, str], timeout_s: float) -> list[Finding]:
    path, text = script
    with TemporaryDirectory(prefix="parsl-doctor-") as directory:
        copy = os.path.join(directory, os.path.basename(path))
        with open(copy, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        try:
            result = run_command([*options, copy], timeout_s)
        except CommandNotStarted as error:
            return [_DRY_RUN.error(str(error))]
    output = " ".join(f"{result.stdout} {result.stderr}".split())
    shown = " ".join(options)
    if result.timed_out:
        return [_DRY_RUN.warning(f"`{shown}` did not answer within {timeout_s:g} s.")]
    if result.exit_code:
        return [_DRY_RUN.error(f"`{shown}` refuses the job: {output}")]
    return [_DRY_RUN.ok(f"`{shown}` accepts the job: {output}")]


def check_directives(subject: Subject) -> list[Finding]:
    """Look for lines that are meant for the scheduler and do not reach it, or that repeat a parameter."""
    batch = subject.batch
    directive = _DIRECTIVES.get(batch.label) if batch is not None else None
    if batch is None or directive is None:
        return []
    return [
        *_check_prefixes(batch, directive),
        *_check_repeated(batch, directive),
        *_check_late(batch, directive),
        *_check_select(batch),
        *_check_alcf(batch),
    ]


def _lines(batch: ClusterProvider) -> Iterator[str]:
    return (line.strip() for line in batch.scheduler_options.splitlines() if line.strip())


def _check_prefixes(batch: ClusterProvider, directive: str) -> Iterator[Finding]:
    for line in _lines(batch):
        if not line.startswith("#"):
            text = f"scheduler_options has a line that bash would run and the scheduler ignore: {line!r}."
            advice = f"Begin it with {directive}, as in '{directive} {line}'."
            yield _JOB_SCRIPT.error(text, advice)
        elif not line.startswith(f"{directive} ") and (looks := _LOOKS_LIKE_ONE.match(line)):
            text = f"scheduler_options has a line that this scheduler takes for a comment: {line!r}."
            advice = f"Begin it with {directive} and a space"
            if looks[0].replace(" ", "").upper() == directive:
                advice += f", as in '{directive} {line[looks.end() :].strip()}'"
            yield _JOB_SCRIPT.error(text, f"{advice}.")


def _check_repeated(batch: ClusterProvider, directive: str) -> Iterator[Finding]:
    for line in _lines(batch):
        if not line.startswith(f"{directive} "):
            continue
        options = re.split(r"\s#", line[len(directive) :])[0]  # a comment follows
        for pattern, parameter in _SETTINGS[batch.label].items():
            value = getattr(batch, parameter, None)
            if value is not None and re.search(rf"(?:^|\s){pattern}", options):
                text = (
                    f"scheduler_options has {line!r}, but {parameter} is {value!r}: Parsl uses the latter, "
                    "and the scheduler may use either."
                )
                yield _JOB_SCRIPT.warning(text, f"Set {parameter} of {type(batch).__name__} instead.")


def _check_late(batch: ClusterProvider, directive: str) -> Iterator[Finding]:
    if any(line.lstrip().startswith(f"{directive} ") for line in batch.worker_init.splitlines()):
        text = f"worker_init has {directive} lines, which the scheduler does not read there."
        yield _JOB_SCRIPT.warning(text, "Move them to scheduler_options.")


def _check_select(batch: ClusterProvider) -> Iterator[Finding]:
    options = str(getattr(batch, "select_options", ""))
    request = batch.node_request if isinstance(batch, TorqueProvider) else None
    if request is not None:
        yield from _check_node_request(batch, request, options)
        return
    if re.search(r"(?:^|:)ncpus=", options):
        text = (
            f"select_options is {options!r}, but cpus_per_node={getattr(batch, 'cpus_per_node', 1)} already "
            "requests CPUs: PBS would get ncpus twice."
        )
        yield _JOB_SCRIPT.error(text, "Set cpus_per_node, and leave ncpus out.")


def _check_node_request(batch: ClusterProvider, request: str, options: str) -> Iterator[Finding]:
    if options.strip(" :"):
        text = f"select_options is {options!r}, but scheduler_options requests {request!r}, which wins."
        yield _JOB_SCRIPT.warning(text, "Add it to that request, or leave that request out.")
    chunks = number_of_chunks(request)
    if chunks != batch.nodes_per_block:
        text = (
            f"scheduler_options requests {request!r}, of {chunks} nodes or parts, but nodes_per_block is "
            f"{batch.nodes_per_block}: the launcher starts managers for that many nodes."
        )
        yield _JOB_SCRIPT.warning(text, f"Set nodes_per_block={chunks} if each part is a node.")


def _check_alcf(batch: ClusterProvider) -> Iterator[Finding]:
    if not isinstance(batch, PBSProProvider) or not _ALCF.search(f"{platform.node()} {_pbs_server()}"):
        return
    if not any(line.startswith("#PBS ") and "filesystems=" in line for line in _lines(batch)):
        text = "no filesystems are named, and ALCF refuses jobs without them."
        yield _JOB_SCRIPT.error(text, "Set scheduler_options='#PBS -l filesystems=home:flare'.")
    if not batch.account:
        text = "no account is named, and ALCF refuses jobs without one."
        yield _JOB_SCRIPT.error(text, "Set account to the name of your project.")


def _pbs_server() -> str:
    if server := os.environ.get("PBS_SERVER"):
        return server
    try:
        with open(os.environ.get("PBS_CONF_FILE", "/etc/pbs.conf"), encoding="utf-8") as file:
            return "".join(line for line in file if line.startswith("PBS_SERVER"))
    except (OSError, ValueError):
        return ""
