"""Checks of the queue: what PBS or Slurm reports about it, compared with what a job requests."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from parsl.cli.checkup.subject import Subject
from parsl.common import commands
from parsl.providers import SlurmProvider, TorqueProvider
from parsl.providers.batch.parameters import format_walltime, parse_walltime
from parsl.providers.cluster_provider import ClusterProvider
from parsl.validate import ParameterError
from parsl.vocabulary.findings import ERROR, OK, Finding, Topic

_QUEUE = Topic("queue")
_TIMEOUT_S = 15
_PBS_ATTRIBUTE = re.compile(r"\s+(?P<name>[\w.]+) = (?P<value>.*)")


class QueueLimits(NamedTuple):
    """The limits of a queue; None where there is none."""

    name: str
    max_walltime_s: int | None = None
    min_walltime_s: int | None = None
    max_nodes: int | None = None
    min_nodes: int | None = None
    #: Why the queue accepts or starts no jobs; empty if it does.
    closed: str = ""
    #: The number of jobs of a user that may run at once, and that may be in the queue.
    max_running: int | None = None
    max_queued: int | None = None
    #: The queues to which it passes jobs on; their limits apply.
    destinations: tuple[str, ...] = ()


def check_queue(subject: Subject) -> list[Finding]:
    """Query the queue, and compare its limits with the job. The query uses up no job id."""
    batch = subject.batch
    query = queue_query(batch) if batch is not None else None
    if batch is None or query is None:
        return []
    command, read = query
    result = _run(command)
    if result is None:
        return []
    if result.timed_out:
        return [_no_answer(command)]
    shown = " ".join(command)
    output = " ".join(f"{result.stdout} {result.stderr}".split())
    if re.search(r"unknown queue|partition \S+ not found|invalid partition", output, re.IGNORECASE):
        return [_QUEUE.error(f"the scheduler does not know it: `{shown}` prints: {output}")]
    limits = read(result.stdout)
    if limits is None:
        text = f"its limits are unknown: `{shown}` does not show them. {result.stderr.strip()}".strip()
        return [_QUEUE.note(text)]
    own = compare(limits, batch.walltime_s, batch.nodes_per_block)
    own += compare_jobs(limits, batch.max_blocks)
    return _with_destinations(limits, own, batch) if limits.destinations else own


def _with_destinations(routing: QueueLimits, own: list[Finding], batch: ClusterProvider) -> list[Finding]:
    """Combine the findings about a routing queue with those about its destinations."""
    findings = [*(one for one in own if one.level != OK), *_check_destinations(routing, batch)]
    is_refused = any(one.level == ERROR for one in own)
    return [one for one in findings if not (is_refused and one.level == OK)]


def _no_answer(command: list[str]) -> Finding:
    text = f"`{' '.join(command)}` did not answer within {_TIMEOUT_S} s: is the scheduler up?"
    return _QUEUE.warning(text)


def _run(command: list[str]) -> commands.CommandResult | None:
    try:
        return commands.run_command(command, _TIMEOUT_S)
    except commands.CommandNotStarted:
        return None  # the check of the commands reports it


def _check_destinations(routing: QueueLimits, batch: ClusterProvider) -> list[Finding]:
    """Check that one of the destinations of a routing queue accepts the job."""
    command = ["qstat", "-Qf", *routing.destinations]
    result = _run(command)
    if result is not None and result.timed_out:
        return [_no_answer(command)]
    output = result.stdout if result else ""
    known = [limits for name in routing.destinations if (limits := parse_qstat(output, name))]
    if not known:
        text = (
            f"{routing.name} passes jobs on to {', '.join(routing.destinations)}, whose limits are unknown."
        )
        return [_QUEUE.note(text)]
    refusals = []
    for limits in known:
        problems = [
            one.text for one in compare(limits, batch.walltime_s, batch.nodes_per_block) if one.level == ERROR
        ]
        if not problems:
            text = f"{routing.name} passes such a job on to {limits.name}, which allows walltime and nodes"
            return [_QUEUE.ok(text), *compare_jobs(limits, batch.max_blocks)]
        refusals += problems
    text = f"none of the queues that {routing.name} passes jobs on to allows this. {' '.join(refusals)}"
    return [_QUEUE.error(text)]


def queue_query(
    batch: ClusterProvider,
) -> tuple[list[str], Callable[[str], QueueLimits | None]] | None:
    """Return the command that shows the queue, and what reads its output; None if there is none to query."""
    if isinstance(batch, SlurmProvider):
        partition = batch.partition
        clusters = [f"--clusters={batch.clusters}"] if batch.clusters else []
        command = ["scontrol", *clusters, "-o", "show", "partition", *filter(None, [partition])]
        return command, lambda text: parse_scontrol(text, partition)
    if isinstance(batch, TorqueProvider) and batch.queue:
        queue = batch.queue
        return ["qstat", "-Qf", queue], lambda text: parse_qstat(text, queue)
    return None


def parse_qstat(text: str, queue: str) -> QueueLimits | None:
    """Read ``qstat -Qf``; None if it does not show the queue."""
    lines = text.replace("\n\t", "").splitlines()
    starts = [number for number, line in enumerate(lines) if line.strip() == f"Queue: {queue}"]
    if not starts:
        return None
    values: dict[str, str] = {}
    for line in lines[starts[0] + 1 :]:
        match = _PBS_ATTRIBUTE.fullmatch(line)
        if match is None:
            break
        values[match["name"]] = match["value"].strip()
    closed = [word for word in ("enabled", "started") if values.get(word, "True") == "False"]
    return QueueLimits(
        queue,
        max_walltime_s=parse_time(values.get("resources_max.walltime")),
        min_walltime_s=parse_time(values.get("resources_min.walltime")),
        max_nodes=_whole(values.get("resources_max.nodect")),
        min_nodes=_whole(values.get("resources_min.nodect")),
        closed=" and ".join(f"not {word}" for word in closed),
        max_running=_for_each_user(values.get("max_run")),
        max_queued=_for_each_user(values.get("max_queued")),
        destinations=tuple(filter(None, re.split(r"[,\s]+", values.get("route_destinations", "")))),
    )


def parse_scontrol(text: str, partition: str | None) -> QueueLimits | None:
    """Read ``scontrol -o show partition``."""
    for line in text.splitlines():
        values = dict(word.partition("=")[::2] for word in line.split() if "=" in word)
        name = values.get("PartitionName", "")
        if name and (name == partition or (partition is None and values.get("Default") == "YES")):
            state = values.get("State", "UP")
            most = _whole(values.get("MaxNodes")), _whole(values.get("TotalNodes"))
            return QueueLimits(
                name,
                max_walltime_s=parse_time(values.get("MaxTime"), bare="minute"),
                max_nodes=min((number for number in most if number is not None), default=None),
                min_nodes=_whole(values.get("MinNodes")),
                closed="" if state == "UP" else state,
            )
    return None


def compare(limits: QueueLimits, walltime_s: int, nodes: int) -> list[Finding]:
    """Compare the requests of a job with the limits of a queue."""
    findings = []
    if limits.closed:
        findings.append(_QUEUE.warning(f"{limits.name} is {limits.closed} now: jobs wait, or are refused."))
    for name, value, low, high, show in (
        ("walltime", walltime_s, limits.min_walltime_s, limits.max_walltime_s, format_walltime),
        ("nodes_per_block", nodes, limits.min_nodes, limits.max_nodes, str),
    ):
        if high is not None and value > high:
            text = f"{name} is {show(value)}, but {limits.name} allows at most {show(high)}."
            findings.append(_QUEUE.error(text))
        if low is not None and value < low:
            text = f"{name} is {show(value)}, but {limits.name} requires at least {show(low)}."
            findings.append(_QUEUE.error(text))
    return findings or [_QUEUE.ok(f"{limits.name} is open, and allows walltime and nodes")]


def compare_jobs(limits: QueueLimits, max_blocks: int) -> list[Finding]:
    """Compare the number of blocks with the number of jobs that a queue allows."""
    start = f"max_blocks is {max_blocks}, but {limits.name}"
    if limits.max_queued is not None and max_blocks > limits.max_queued:
        text = f"{start} accepts at most {limits.max_queued} of a user's jobs: it refuses the others."
        return [_QUEUE.warning(text, "Parsl submits them again later.")]
    if limits.max_running is not None and max_blocks > limits.max_running:
        text = f"{start} runs at most {limits.max_running} of a user's jobs at once: the others wait."
        return [_QUEUE.note(text)]
    return []


def parse_time(text: str | None, bare: str = "second") -> int | None:
    """Read a walltime from the scheduler; None if it is unlimited or not a walltime."""
    try:
        return parse_walltime("the queue", text, bare=bare)
    except ParameterError:
        return None


def _for_each_user(text: str | None) -> int | None:
    """Read PBS's limit per user, such as ``[u:PBS_GENERIC=1]``, which may be one of several."""
    match = re.search(r"u:PBS_GENERIC=(\d{1,9})", text or "")
    return int(match[1]) if match else None


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None
