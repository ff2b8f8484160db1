"""The answers of qstat and pbsnodes: tables, lists of attributes, and JSON. Pure.

The release writes JSON by hand: what C takes for a number is printed without quotes (``nan``, ``.5``), and
backslashes in some values are not escaped, so that the answer is not always JSON. The main branch uses a
library.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from parsl.testing.schedulers import records
from parsl.testing.schedulers.attributes import (
    Attributes,
    flatten,
    format_duration,
    format_hours_minutes,
    full_id,
    state_letter,
)
from parsl.testing.schedulers.records import MAIN, RELEASE, Job, Queue

_TABLE_HEAD = """\
Job id            Name             User              Time Use S Queue
----------------  ---------------- ----------------  -------- - -----
"""
_QUEUES_HEAD = """\
Queue              Max   Tot Ena Str   Que   Run   Hld   Wat   Trn   Ext Type
---------------- ----- ----- --- --- ----- ----- ----- ----- ----- ----- ----
"""
#: The width at which long lines are folded.
_LINE_WIDTH = 79
_CONTINUATION = "\n\t"
_CONTINUATION_WIDTH = 72
#: The widths of id, user, queue, name, session, nodes and tasks in ``qstat -a``; the second is for ``-w``.
_NARROW = (15, 8, 8, 10, 6, 3, 3)
_WIDE = (30, 15, 15, 15, 8, 4, 5)
#: The numbers of strtod(3).
_C_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
_JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
#: Attributes that the main branch prints as text even if they look like numbers.
_TEXTS = frozenset(["Account_Name", "Job_Name", "queue", "project", "comment", "Submit_arguments"])
#: The attribute that the release does not escape.
_UNESCAPED = "Submit_arguments"
#: The number of backslashes that each writes for one in a variable, before JSON doubles them.
_BACKSLASHES = {RELEASE: {"-v": 2, "-V": 2}, MAIN: {"-v": 4, "-V": 2}}


def render_table(jobs: Sequence[Job], server: str) -> str:
    """Write the output of plain ``qstat``, which is empty without jobs."""
    rows = (
        f"{_cut(full_id(job.number, server), 17):17} {_cut(job.name, 16):16} {_cut(job.owner, 17):17} "
        f"{'00:00:00' if job.started_s else '0':>8} {state_letter(job)} {_cut(job.queue, 16):16}\n"
        for job in jobs
    )
    return _TABLE_HEAD + "".join(rows) if jobs else ""


def render_alternative(
    jobs: Sequence[Job], server: str, now_s: float, is_wide: bool, has_comments: bool
) -> str:
    """Write the output of ``qstat -a``; with the comments of ``-s`` on the same line."""
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
    limit = " -- " if job.walltime_s is None else format_hours_minutes(job.walltime_s)
    elapsed = " -- "
    if job.started_s:
        elapsed = format_duration((job.obit_s or now_s) - job.started_s)[:-3]
    texts = (full_id(job.number, server), job.owner, job.queue, job.name)
    left = " ".join(f"{_cut(text, width):{width}}" for text, width in zip(texts, widths[:4], strict=True))
    numbers = (session, str(job.node_count), tasks)
    right = " ".join(f"{_cut(text, width):>{width}}" for text, width in zip(numbers, widths[4:], strict=True))
    return f"{left} {right}    --  {limit:>5} {state_letter(job)} {elapsed:>5}"


def render_full(jobs: Iterable[tuple[str, Attributes]], is_wide: bool) -> str:
    """Write the output of ``qstat -f``; ``-w`` does not fold long lines."""
    blocks = []
    for job_id, attributes in jobs:
        lines = [f"Job Id: {job_id}"]
        for name, value in flatten(attributes):
            line = f"    {name} = {value}"
            lines.append(line if is_wide else fold(line))
        blocks.append("\n".join(lines) + "\n\n")
    return "".join(blocks)


def render_dsv(jobs: Iterable[tuple[str, Attributes]], delimiter: str) -> str:
    """Write the output of ``qstat -f -F dsv``, one job per line."""
    lines = []
    for job_id, attributes in jobs:
        pairs = (f"{name}={value}" for name, value in flatten(attributes))
        lines.append(delimiter.join([f"Job Id: {job_id}", *pairs]) + "\n")
    return "".join(lines)


def render_queues(queues: Sequence[Queue], jobs: Sequence[Job]) -> str:
    """Write the output of ``qstat -Q``."""
    return _QUEUES_HEAD + "".join(_queue_row(queue, jobs) for queue in queues)


def _queue_row(queue: Queue, jobs: Sequence[Job]) -> str:
    mine = [job.state for job in jobs if job.queue == queue.name and job.state != records.FINISHED]
    shown = (records.QUEUED, records.RUNNING, records.HELD, records.WAITING)
    counts = "".join(f" {mine.count(state):5d}" for state in shown)
    enabled = "yes" if queue.enabled else "no"
    return f"{_cut(queue.name, 16):16} {0:5d} {len(mine):5d} {enabled:>3} yes{counts} {0:5d} {0:5d} Exe*\n"


def render_full_queues(queues: Sequence[Queue], jobs: Sequence[Job]) -> str:
    """Write the output of ``qstat -Q -f``, which includes the limits of the queues."""
    return "".join(f"Queue: {queue.name}\n{_queue_attributes(queue, jobs)}\n" for queue in queues)


def _queue_attributes(queue: Queue, jobs: Sequence[Job]) -> str:
    limit_s = queue.max_walltime_s
    values = {
        "queue_type": "Execution",
        "total_jobs": sum(job.queue == queue.name and job.state != records.FINISHED for job in jobs),
        "resources_max.nodect": queue.max_nodes,
        "resources_max.walltime": limit_s if limit_s is None else format_duration(limit_s),
        "max_run": _for_each_user(queue.max_running_per_user),
        "max_queued": _for_each_user(queue.max_queued_per_user),
        "enabled": queue.enabled,
        "started": True,
    }
    return "".join(f"    {name} = {value}\n" for name, value in values.items() if value is not None)


def _for_each_user(limit: int | None) -> str | None:
    return None if limit is None else f"[u:PBS_GENERIC={limit}]"


def fold(line: str) -> str:
    """Fold a long line, at a comma if possible; continuation lines begin with a tab."""
    pieces, width = [], _LINE_WIDTH
    while len(line) > width:
        end = line.rfind(",", 0, width) + 1 or width
        pieces.append(line[:end])
        line, width = line[end:], _CONTINUATION_WIDTH
    return _CONTINUATION.join([*pieces, line])


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "*"


def render_json(
    flavour: str, server: str, now_s: float, what: str, members: Iterable[tuple[str, Attributes]] | None
) -> str:
    """Write the answer of ``-F json``; without members, it has no ``Jobs`` or ``nodes`` at all."""
    top: list[tuple[Any, ...]] = [
        ("timestamp", str(int(now_s))),
        ("pbs_version", "23.06.06"),
        ("pbs_server", server),
    ]
    if found := list(members or ()):
        top.append((what, found))
    text = "\n".join(_lines(flavour, top, 0))
    # The release ends the line only after jobs.
    return text if flavour == RELEASE and not found else text + "\n"


def _lines(flavour: str, members: Iterable[tuple[Any, ...]], depth: int) -> list[str]:
    """Write an object: names with texts, whose source may follow, or with further members."""
    indent, colon = ("\t", ":\t") if flavour == MAIN else ("    ", ":")
    lines = ["{"]
    for name, value, *source in members:
        is_leaf = isinstance(value, str)
        below = [_leaf(flavour, name, value, *source)] if is_leaf else _lines(flavour, value, depth + 1)
        lines.append(f'{indent * (depth + 1)}"{name}"{colon}{below[0]}')
        lines += below[1:]
        lines[-1] += ","
    lines[-1] = lines[-1].removesuffix(",")
    return [*lines, indent * depth + "}"]


def _leaf(flavour: str, name: str, value: str, source: str = "") -> str:
    if is_bare(flavour, name, value):
        return f"{float(value):.15g}" if flavour == MAIN else value
    backslashes = _BACKSLASHES[flavour].get(source, 1)
    if name != _UNESCAPED or flavour == MAIN:
        value = value.replace("\\", "\\" * (2 * backslashes))
    if flavour == MAIN and source:
        value = value.replace('"', '\\\\"').replace("'", "\\\\'")
    text = value.replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{text}"'


def is_bare(flavour: str, name: str, value: str) -> bool:
    """Whether the JSON shows a value without quotes."""
    if flavour == RELEASE:
        return _C_NUMBER.fullmatch(value) is not None
    return name not in _TEXTS and _JSON_NUMBER.fullmatch(value) is not None
