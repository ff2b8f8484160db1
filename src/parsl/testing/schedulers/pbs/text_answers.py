"""The answers of qstat that are not JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from parsl.testing.schedulers.durations import format_duration, format_hours_minutes
from parsl.testing.schedulers.pbs.attributes import Attributes, Value, state_letter
from parsl.testing.schedulers.pbs.ids import full_id
from parsl.testing.schedulers.records import FINISHED, HELD, QUEUED, RUNNING, WAITING, Job, Queue

_TABLE_HEAD = """\
Job id            Name             User              Time Use S Queue
----------------  ---------------- ----------------  -------- - -----
"""
_QUEUES_HEAD = """\
Queue              Max   Tot Ena Str   Que   Run   Hld   Wat   Trn   Ext Type
---------------- ----- ----- --- --- ----- ----- ----- ----- ----- ----- ----
"""
#: Lines are folded before this column.
_LINE_WIDTH = 79
_CONTINUATION = "\n\t"
_CONTINUATION_WIDTH = 72
#: Widths of id, user, queue, name, session, nodes and tasks in ``qstat -a``, and with ``-w``.
_NARROW = (15, 8, 8, 10, 6, 3, 3)
_WIDE = (30, 15, 15, 15, 8, 4, 5)


def render_table(jobs: Sequence[Job], server: str) -> str:
    """Write what plain ``qstat`` prints: nothing at all without jobs."""
    if not jobs:
        return ""
    return _TABLE_HEAD + "".join(_row(job, server) for job in jobs)


def _row(job: Job, server: str) -> str:
    used = "00:00:00" if job.started_s else "0"
    return (
        f"{_cut(full_id(job.number, server), 17):17} {_cut(job.name, 16):16} {_cut(job.owner, 17):17} "
        f"{used:>8} {state_letter(job)} {_cut(job.queue, 16):16}\n"
    )


def render_alternative(
    jobs: Sequence[Job], server: str, now_s: float, is_wide: bool, has_comments: bool
) -> str:
    """Write what ``qstat -a`` prints, with ``-s`` comments, all on one line."""
    if not jobs:
        return ""
    widths = _WIDE if is_wide else _NARROW
    left = sum(widths) + len(widths) - 1
    heads = ("Job ID", "Username", "Queue", "Jobname", "SessID", "NDS", "TSK")
    lines = [
        "",
        f"{server}: ",
        " " * left + " Req'd  Req'd   Elap",
        " ".join(f"{head:{width}}" for head, width in zip(heads, widths, strict=True))
        + " Memory Time  S Time",
        " ".join("-" * width for width in widths) + " ------ ----- - -----",
    ]
    for job in jobs:
        line = _alternative_row(job, server, now_s, widths)
        lines.append(f"{line}    {job.comment or ' -- '}" if has_comments else line)
    return "\n".join(lines) + "\n"


def _alternative_row(job: Job, server: str, now_s: float, widths: tuple[int, ...]) -> str:
    session = str(job.session_id) if job.session_id else "-- "
    tasks = str(sum(chunk.pieces * chunk.cpus for chunk in job.chunks))
    wanted = " -- " if job.walltime_s is None else format_hours_minutes(job.walltime_s)
    elapsed = " -- "
    if job.started_s:
        whole = int((job.obit_s or now_s) - job.started_s)
        elapsed = f"{whole // 3600:02d}:{whole // 60 % 60:02d}"
    texts = (full_id(job.number, server), job.owner, job.queue, job.name)
    left = " ".join(f"{_cut(text, width):{width}}" for text, width in zip(texts, widths[:4], strict=True))
    numbers = (session, str(job.node_count), tasks)
    right = " ".join(f"{_cut(text, width):>{width}}" for text, width in zip(numbers, widths[4:], strict=True))
    return f"{left} {right}    --  {wanted:>5} {state_letter(job)} {elapsed:>5}"


def render_full(jobs: Iterable[tuple[str, Attributes]], is_wide: bool) -> str:
    """Write what ``qstat -f`` prints; with ``-w`` long lines are not folded."""
    blocks = []
    for job_id, attributes in jobs:
        lines = [f"Job Id: {job_id}"]
        for name, value in flat(attributes):
            line = f"    {name} = {value}"
            lines.append(line if is_wide else fold(line))
        blocks.append("\n".join(lines) + "\n\n")
    return "".join(blocks)


def render_dsv(jobs: Iterable[tuple[str, Attributes]], delimiter: str) -> str:
    """Write what ``qstat -f -F dsv`` prints: a job on each line."""
    return "".join(
        delimiter.join([f"Job Id: {job_id}", *(f"{name}={value}" for name, value in flat(attributes))]) + "\n"
        for job_id, attributes in jobs
    )


def render_queues(queues: Sequence[Queue], jobs: Sequence[Job]) -> str:
    """Write what ``qstat -Q`` prints."""
    return _QUEUES_HEAD + "".join(_queue_row(queue, jobs) for queue in queues)


def _queue_row(queue: Queue, jobs: Sequence[Job]) -> str:
    mine = [job.state for job in jobs if job.queue == queue.name and job.state != FINISHED]
    counts = "".join(f" {mine.count(state):5d}" for state in (QUEUED, RUNNING, HELD, WAITING))
    enabled = "yes" if queue.enabled else "no"
    return f"{_cut(queue.name, 16):16} {0:5d} {len(mine):5d} {enabled:>3} yes{counts} {0:5d} {0:5d} Exe*\n"


def render_full_queues(queues: Sequence[Queue], jobs: Sequence[Job]) -> str:
    """Write what ``qstat -Q -f`` prints of queues, with their limits."""
    return "".join(f"Queue: {queue.name}\n{_queue_attributes(queue, jobs)}\n" for queue in queues)


def _queue_attributes(queue: Queue, jobs: Sequence[Job]) -> str:
    limits = {
        "resources_max.nodect": queue.max_nodes,
        "resources_max.walltime": None
        if queue.max_walltime_s is None
        else format_duration(queue.max_walltime_s),
        "max_run": _for_each_user(queue.max_running_per_user),
        "max_queued": _for_each_user(queue.max_queued_per_user),
    }
    values = {
        "queue_type": "Execution",
        "total_jobs": sum(job.queue == queue.name and job.state != FINISHED for job in jobs),
        **{name: value for name, value in limits.items() if value is not None},
        "enabled": queue.enabled,
        "started": True,
    }
    return "".join(f"    {name} = {value}\n" for name, value in values.items())


def _for_each_user(most: int | None) -> str | None:
    return None if most is None else f"[u:PBS_GENERIC={most}]"


def fold(line: str) -> str:
    """Fold a long line, at a comma where that is possible; a tab begins the lines after the first."""
    pieces, width = [], _LINE_WIDTH
    while len(line) > width:
        end = line.rfind(",", 0, width) + 1 or width
        pieces.append(line[:end])
        line, width = line[end:], _CONTINUATION_WIDTH
    return _CONTINUATION.join([*pieces, line])


def flat(attributes: Attributes) -> Iterable[tuple[str, str]]:
    """Return attributes as names and values, with ``Resource_List.walltime`` for a part of one."""
    for name, value in attributes:
        yield from _flat_value(name, value)


def _flat_value(name: str, value: Value) -> Iterable[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif name == "Variable_List":
        yield name, ",".join(f"{member.name}={member.value}" for member in value)
    else:
        yield from ((f"{name}.{member.name}", member.value) for member in value)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "*"
