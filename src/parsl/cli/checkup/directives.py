"""Lines for the scheduler: those that would not reach it, and those that it is given twice."""

from __future__ import annotations

import os
import platform
import re

from parsl.cli.checkup.finding import ERROR, WARNING, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from parsl.cli.checkup.subject import Subject
    from parsl.providers.cluster_provider import ClusterProvider

_TOPIC = "job script"
#: What the lines begin with that are for the scheduler, by the providers' labels.
_DIRECTIVES = {"torque": "#PBS", "pbspro": "#PBS", "slurm": "#SBATCH", "LSF": "#BSUB", "grid_engine": "#$"}
#: A comment that somebody may have meant for a scheduler.
_LOOKS_LIKE_ONE = re.compile(r"#\s*(?:(?:PBS|SBATCH|BSUB)\b|\$(?=\s|$))", re.IGNORECASE)
#: Options that the job script has already, by what they begin with, and the parameter each comes from. Parsl
#: reckons with the parameter, whichever of the two the scheduler believes.
_PBS_SETTINGS = {
    r"-l\s*(?:\S+,)?walltime=": "walltime",
    r"-l\s*(?:\S+,)?select=": "nodes_per_block",
    r"-l\s*(?:\S+,)?nodes=": "nodes_per_block",
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
_ALCF = re.compile(r"alcf|aurora|polaris|sunspot|sophia|crux", re.IGNORECASE)


def check_directives(subject: Subject) -> list[Finding]:
    """Look for lines that are meant for the scheduler and do not reach it, or say something else twice."""
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
            text = f"scheduler_options has a line that bash would run, not the scheduler read: {line!r}."
            advice = f"Begin it with {directive}, as in '{directive} {line}'."
            yield Finding(ERROR, _TOPIC, text, advice)
        elif not line.startswith(f"{directive} ") and (looks := _LOOKS_LIKE_ONE.match(line)):
            text = f"scheduler_options has a line that is only a comment to this scheduler: {line!r}."
            advice = f"Its lines begin with {directive} and a blank"
            if looks[0].replace(" ", "").upper() == directive:
                advice += f", as in '{directive} {line[looks.end() :].strip()}'"
            yield Finding(ERROR, _TOPIC, text, f"{advice}.")


def _check_repeated(batch: ClusterProvider, directive: str) -> Iterator[Finding]:
    for line in _lines(batch):
        if not line.startswith(f"{directive} "):
            continue
        options = re.split(r"\s#", line[len(directive) :])[0]  # behind it is a comment
        for pattern, parameter in _SETTINGS[batch.label].items():
            value = getattr(batch, parameter, None)
            if value is not None and re.search(rf"(?:^|\s){pattern}", options):
                text = (
                    f"scheduler_options has {line!r}, but {parameter} is {value!r}: Parsl reckons with that, "
                    "and the scheduler may take either."
                )
                yield Finding(WARNING, _TOPIC, text, f"Set {parameter} of {type(batch).__name__} instead.")


def _check_late(batch: ClusterProvider, directive: str) -> Iterator[Finding]:
    if any(line.lstrip().startswith(f"{directive} ") for line in batch.worker_init.splitlines()):
        text = f"worker_init has {directive} lines, which come too late for the scheduler."
        yield Finding(WARNING, _TOPIC, text, "Move them to scheduler_options.")


def _check_select(batch: ClusterProvider) -> Iterator[Finding]:
    options = str(getattr(batch, "select_options", ""))
    if re.search(r"(?:^|:)ncpus=", options):
        text = (
            f"select_options is {options!r}, but cpus_per_node={getattr(batch, 'cpus_per_node', 1)} asks for "
            "CPUs already: PBS is given ncpus twice."
        )
        yield Finding(ERROR, _TOPIC, text, "Set cpus_per_node, and leave ncpus out.")


def _check_alcf(batch: ClusterProvider) -> Iterator[Finding]:
    from parsl.providers import PBSProProvider

    if not isinstance(batch, PBSProProvider) or not is_alcf():
        return
    if not any(line.startswith("#PBS ") and "filesystems=" in line for line in _lines(batch)):
        text = "no filesystems are named, and ALCF takes no job without."
        yield Finding(ERROR, _TOPIC, text, "Set scheduler_options='#PBS -l filesystems=home:flare'.")
    if not batch.account:
        text = "no account is named, and ALCF takes no job without."
        yield Finding(ERROR, _TOPIC, text, "Set account to the name of your project.")


def is_alcf() -> bool:
    """Whether this host, or the PBS server that it is configured for, is of ALCF."""
    return _ALCF.search(f"{platform.node()} {_pbs_server()}") is not None


def _pbs_server() -> str:
    if server := os.environ.get("PBS_SERVER"):
        return server
    try:
        with open(os.environ.get("PBS_CONF_FILE", "/etc/pbs.conf"), encoding="utf-8") as file:
            return "".join(line for line in file if line.startswith("PBS_SERVER"))
    except (OSError, ValueError):
        return ""
