"""What is known of one app, block, node, failure or task of a run, as text."""

from __future__ import annotations

from heapq import nlargest

from parsl.cli.failures import NoFailureLog, moment, read_failures, task_history
from parsl.cli.live.cells import cause
from parsl.eventlog import answers
from parsl.eventlog.answers import duration
from parsl.eventlog.failure_groups import FailureGroup
from parsl.eventlog.history import TaskView
from parsl.eventlog.watch import RunWatch

_LISTED = 12
_MB = 1e6


def app_text(watch: RunWatch, number: int, now_s: float) -> str:
    """Return the tasks of one app: how long they ran, and which have been running the longest."""
    history = watch.history
    app = answers.apps(history, watch.tally)[number]
    counts = ", ".join(f"{value:,} {name}" for name, value in app.counts._asdict().items() if value)
    lines = [f"App {app.name}", f"  {counts or 'no tasks'}"]
    times = watch.tally.run_times.get(number)
    if times is not None:
        shares = ((0.1, "10 %"), (0.5, "median"), (0.9, "90 %"), (0.99, "99 %"), (1.0, "max"))
        shown = ", ".join(f"{name} {duration(times.quantile(share))}" for share, name in shares)
        lines.append(f"  run times: {shown}")
    running = [task for task in watch.tally.running if history.tasks.app[task] == number]
    oldest = sorted(running, key=lambda task: history.tasks.started_s[task])[:_LISTED]
    if oldest:
        lines += ["", "Running the longest:"]
        lines += [f"  {_running_line(history.task(task), now_s)}" for task in oldest]
    longest = _longest(watch, number)
    if longest:
        lines += ["", "Ran the longest:"]
        lines += [f"  {_ended_line(history.task(task))}" for task in longest]
    groups = [group for group in watch.failures.largest_first() if number in group.apps]
    if groups:
        lines += [
            "",
            "Failures:",
            *(f"  {group.apps[number]:,}: {cause(group)}" for group in groups[:_LISTED]),
        ]
    return "\n".join(lines)


def _longest(watch: RunWatch, app: int) -> list[int]:
    tasks = watch.history.tasks

    def run_s(task: int) -> float:
        return tasks.returned_s[task] - tasks.started_s[task]

    own = (
        task
        for task, number in enumerate(tasks.app)
        if number == app and tasks.returned_s[task] > 0 and tasks.started_s[task] > 0
    )
    return nlargest(_LISTED, own, key=run_s)


def _running_line(task: TaskView, now_s: float) -> str:
    ran = "" if task.started_s is None else f" for {duration(max(0.0, now_s - task.started_s))}"
    return f"task {task.id}{ran}{_place(task)}"


def _ended_line(task: TaskView) -> str:
    ran_s = (task.returned_s or 0.0) - (task.started_s or 0.0)
    return f"task {task.id}: {duration(ran_s)}{_place(task)}, {task.state}"


def _place(task: TaskView) -> str:
    worker = "" if task.worker is None else f", worker {task.worker}"
    return f" on {task.host}{worker}" if task.host else worker


def block_text(watch: RunWatch, executor: str, block: str) -> str:
    """Return the life of one block: its changes with the scheduler's reasons, and its managers."""
    history = watch.history
    lines = [f"Block {block} of executor {executor}"]
    for (number, name), changes in history.blocks.items():
        if (answers.executor_name(history, number), name) == (executor, block):
            for change in changes:
                job = f" job {change.job}" if change.job else ""
                lines.append(f"  {moment(change.time_s)}  {change.state}{job}  {change.reason}".rstrip())
    lines += ["", "Managers:"]
    for (number, _), view in history.managers.items():
        if (answers.executor_name(history, number), view.facts.block) == (executor, block):
            gone = "" if view.gone_s is None else f", until {moment(view.gone_s)}: {view.reason}"
            facts = view.facts
            lines.append(
                f"  {facts.name} on {facts.host}: {facts.workers} workers since {moment(facts.time_s)}{gone}"
            )
    return "\n".join(lines if lines[-1] != "Managers:" else [*lines, "  none has connected"])


def node_text(watch: RunWatch, executor: str, manager: str, now_s: float) -> str:
    """Return one node: its manager, its resources, and the tasks that run there."""
    history = watch.history
    for key, view in history.managers.items():
        facts = view.facts
        if (answers.executor_name(history, key[0]), facts.name) != (executor, manager):
            continue
        node = f"{facts.workers} workers, {facts.cpu_count} CPUs, {facts.total_memory / _MB:,.0f} MB"
        lines = [
            f"Node {facts.host}, block {facts.block} of {executor}",
            f"  manager {facts.name} (process {facts.pid}) since {moment(facts.time_s)}",
            f"  {node}, Python {facts.python_version}",
        ]
        if facts.accelerators:
            lines.append(f"  accelerators: {', '.join(facts.accelerators)}")
        if view.gone_s is not None:
            lines.append(f"  gone since {moment(view.gone_s)}: {view.reason}")
        changes = [
            change for change in history.nodes if (change.executor, change.host) == (key[0], facts.host)
        ]
        lines += [f"  {moment(change.time_s)}  {change.text}" for change in changes]
        own = [history.task(task) for task in sorted(watch.tally.running)]
        here = [task for task in own if (task.executor, task.manager) == (executor, manager)]
        lines += ["", "Running:", *(f"  {task.app}: {_running_line(task, now_s)}" for task in here)]
        return "\n".join(lines if here else lines[:-2])
    return f"There is no manager {manager} of executor {executor}."


def failure_text(watch: RunWatch, group: FailureGroup, run_dir: str) -> str:
    """Return a group of failures: how many, where, since when, and the first one in full."""
    history = watch.history
    apps = ", ".join(f"{history.app_name(app)} {number:,}" for app, number in group.apps.most_common(_LISTED))
    hosts = ", ".join(f"{host} {number:,}" for host, number in group.hosts.most_common(_LISTED))
    retried = f"{group.tried_again:,} attempts were followed by others"
    lines = [
        cause(group),
        f"  {group.failed:,} tasks failed, {retried}, {group.followers:,} dependent tasks never ran",
        f"  from {moment(group.first_s)} to {moment(group.last_s)}",
        f"  apps: {apps}" if apps else "",
        f"  hosts: {hosts}" if hosts else "",
        f"  tasks: {', '.join(map(str, group.tasks))}{', ...' if group.attempts > len(group.tasks) else ''}",
    ]
    return "\n".join(
        [*filter(None, lines), "", _in_full(run_dir, group.example.task) or group.example.message]
    )


def task_text(watch: RunWatch, number: int, run_dir: str) -> str:
    """Return one task: its state, place, times, use of the node, dependencies, and failed attempts."""
    try:
        task = watch.history.task(number)
    except KeyError:
        return f"There is no task {number} (yet)."
    used = [
        "" if task.cpu_s is None else f"{duration(task.cpu_s)} of processor time",
        "" if task.peak_memory is None else f"peak memory of its worker {task.peak_memory / _MB:,.0f} MB",
    ]
    lines = [
        f"Task {task.id} ({task.app}): {task.state}, attempt {task.attempt + 1} on executor {task.executor}",
        f"  {_place(task).strip(' ,')}" if _place(task) else "",
        f"  {', '.join(filter(None, used))}" if any(used) else "",
        f"  depends on {', '.join(map(str, task.depends[:_LISTED]))}" if task.depends else "",
        *(f"  {what:9} {moment(when)}" for what, when in _moments(task)),
    ]
    return "\n".join([*filter(None, lines), "", _in_full(run_dir, number)]).rstrip()


def _moments(task: TaskView) -> list[tuple[str, float]]:
    moments = (
        ("called", task.invoked_s), ("launched", task.launched_s),
        ("started", task.started_s), ("returned", task.returned_s),
    )  # fmt: skip
    return [(what, when) for what, when in moments if when is not None]


def _in_full(run_dir: str, task: int) -> str:
    """Return what the failure log has about a task; empty if there is nothing."""
    try:
        failures = read_failures(run_dir)
    except NoFailureLog:
        return ""
    return task_history(failures, task) if task in failures.by_task else ""
