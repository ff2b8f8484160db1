"""Answers to questions about a run: is it moving, why does nothing run, what is slow, how full are nodes.

Plain functions of what a reader knows. ``parsl top``, ``parsl metrics`` and the dashboard show their results.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from parsl.eventlog.failure_groups import FailureGroups
from parsl.eventlog.history import AppCounts, ManagerView, RunHistory
from parsl.eventlog.records import BlockChanged, Summary, executor_label
from parsl.eventlog.tally import RunTimes, Tally
from parsl.vocabulary import INTERNAL_LABEL
from parsl.vocabulary.job_states import TERMINAL_STATES, JobState
from parsl.vocabulary.task_states import FINAL_FAILURE_STATES, States

#: The standing of a run.
RUNNING = "running"
ENDED = "ended"
LOST = "driver lost"
#: The driver is on another host, so that only the log can show its end.
ELSEWHERE = "not ended, or driver lost"

_NO_TIMES = RunTimes()
#: The reason of managers whose job was cancelled, or has used up its time.
_ENDED_BY_JOB = "its process got SIGTERM"
#: How long the end of a manager and that of its block may be apart, in seconds.
_SCALE_IN_S = 10.0
_TERMINAL_NAMES = frozenset(state.name for state in TERMINAL_STATES)


def standing(history: RunHistory, is_running: bool | None) -> str:
    """Return the standing of a run.

    Args:
        history: What is known of it.
        is_running: Whether its driver is alive; None if that is unknown.
    """
    if history.end is not None:
        return ENDED
    if is_running is None:
        return ELSEWHERE
    return RUNNING if is_running else LOST


class TaskCounts(NamedTuple):
    """Tasks by what they do. A task that joins the futures of others counts as running."""

    waiting: int
    launched: int
    running: int
    done: int
    failed: int

    @property
    def total(self) -> int:
        """How many tasks there are."""
        return sum(self)

    @property
    def unfinished(self) -> int:
        """How many tasks have not ended."""
        return self.waiting + self.launched + self.running


def counts_of(app: AppCounts) -> TaskCounts:
    """Return the counts of one app."""
    by_state = app.by_state
    running = by_state[States.running] + by_state[States.running_ended] + by_state[States.joining]
    waiting = by_state[States.pending] + by_state[States.fail_retryable]
    return TaskCounts(waiting, by_state[States.launched], running, app.done, app.failed)


class AppAnswer(NamedTuple):
    """One app: its tasks, and how long they ran (s; None if no task with a known run time has ended)."""

    number: int
    name: str
    counts: TaskCounts
    median_s: float | None
    p90_s: float | None
    max_s: float | None


def apps(history: RunHistory, tally: Tally) -> list[AppAnswer]:
    """Return the apps of a run in the order in which they were first called."""
    found = []
    for number, app in enumerate(history.counts):
        times = tally.run_times.get(number, _NO_TIMES)
        max_s = times.max_s if times.number else None
        found.append(
            AppAnswer(
                number,
                history.app_name(number),
                counts_of(app),
                times.quantile(0.5),
                times.quantile(0.9),
                max_s,
            )
        )
    return found


def totals(summary: Summary) -> tuple[TaskCounts, list[AppAnswer]]:
    """Return the counts of a run whose log has not been read yet. Tasks that have not ended count as waiting.

    Args:
        summary: The last totals in the log.
    """
    ended = [[0, 0] for _ in summary.apps]
    for app, state, number in summary.ended:
        if app < len(ended):
            ended[app][state in FINAL_FAILURE_STATES] += number
    apps = [
        AppAnswer(number, name, TaskCounts(0, 0, 0, *ended[number]), None, None, None)
        for number, name in enumerate(summary.apps)
    ]
    done, failed = sum(counts[0] for counts in ended), sum(counts[1] for counts in ended)
    return TaskCounts(max(0, summary.task_count - done - failed), 0, 0, done, failed), apps


def cut_off(history: RunHistory, failures: FailureGroups) -> int:
    """Return how many tasks had not ended when the run was over: they count as failed, without a cause.

    Args:
        history: All records of a run, without gaps.
        failures: The failures of the same records.
    """
    if history.end is None:
        return 0
    failed = sum(app.failed for app in history.counts)
    return failed - sum(group.failed + group.followers for group in failures.largest_first())


class Estimate(NamedTuple):
    """When the tasks that were submitted so far will have ended."""

    #: In seconds from now; None if it cannot be estimated.
    remaining_s: float | None
    #: What the estimate assumes, or why there is none.
    basis: str


class Progress(NamedTuple):
    """Is the run moving?"""

    counts: TaskCounts
    elapsed_s: float
    #: How many tasks per second end: lately, or on average in a run that is over.
    rate: float
    #: About how many workers are busy.
    busy_workers: float
    estimate: Estimate


def progress(history: RunHistory, tally: Tally, now_s: float | None) -> Progress:
    """Return how far a run is.

    Args:
        history: What is known of it.
        tally: The counts of the same records.
        now_s: The present moment (seconds since the epoch); None for a run that is over.
    """
    each = [counts_of(app) for app in history.counts]
    counts = TaskCounts(*map(sum, zip(*each, strict=True))) if each else TaskCounts(0, 0, 0, 0, 0)
    began_s = history.run.began_s if history.run is not None else tally.last_s
    if now_s is None:
        elapsed_s = max(0.0, max(history.last_s, tally.last_s) - began_s)
        rate = (counts.done + counts.failed) / elapsed_s if elapsed_s else 0.0
        return Progress(counts, elapsed_s, rate, 0.0, Estimate(None, "the run is over"))
    rate = tally.rate(now_s, began_s)
    busy = _busy_workers(history, tally, now_s, began_s)
    estimate = _estimate(history, tally, counts, rate, busy, now_s)
    return Progress(counts, max(0.0, now_s - began_s), rate, busy, estimate)


def _busy_workers(history: RunHistory, tally: Tally, now_s: float, began_s: float) -> float:
    """Return about how many workers are busy; no more than there are, if that is known."""
    busy = tally.busy_workers(now_s, began_s)
    workers = sum(view.facts.workers for view in history.managers.values() if view.gone_s is None)
    return min(busy, max(workers, len(tally.running))) if workers else busy


def _estimate(
    history: RunHistory, tally: Tally, counts: TaskCounts, rate: float, busy: float, now_s: float
) -> Estimate:
    if not counts.unfinished:
        return Estimate(0.0, "all tasks submitted so far have ended")
    if rate and not (tally.run_times and busy):
        return Estimate(counts.unfinished / rate, "if all tasks take as long as the latest")
    if not busy:
        return Estimate(None, "nothing runs")
    work_s = longest_s = 0.0
    for number, app in enumerate(history.counts):
        unfinished = counts_of(app).unfinished
        mean_s = tally.run_times.get(number, _NO_TIMES).mean_s
        if unfinished and mean_s is None:
            return Estimate(None, f"the run time of {history.app_name(number)} is not known yet")
        if unfinished and mean_s is not None:
            work_s += unfinished * mean_s
            longest_s = max(longest_s, mean_s)
    work_s -= _work_done(history, tally, now_s)
    # The last tasks do not share their time among all workers.
    remaining_s = max(work_s / busy, longest_s if counts.waiting + counts.launched else 0.0)
    return Estimate(remaining_s, "if the tasks of each app take as long as those that have ended")


def _work_done(history: RunHistory, tally: Tally, now_s: float) -> float:
    """Return for how long the running tasks have run (s), but no longer than they are expected to."""
    done_s = 0.0
    for task in tally.running:
        mean_s = tally.run_times.get(history.tasks.app[task], _NO_TIMES).mean_s
        if mean_s is not None:
            done_s += min(mean_s, max(0.0, now_s - history.tasks.started_s[task]))
    return done_s


@dataclass(frozen=True)
class BlockAnswer:
    """One block: its state, the scheduler's reason, and its managers.

    ``since_s`` is when the state began (seconds since the epoch), ``workers`` those of connected managers.
    """

    executor: str
    block: str
    job: str
    state: str
    reason: str
    since_s: float
    nodes: int
    workers: int

    @property
    def is_over(self) -> bool:
        """Whether the block's job has ended."""
        return self.state in _TERMINAL_NAMES


def blocks(history: RunHistory) -> list[BlockAnswer]:
    """Return the blocks of a run, those that have not ended first."""
    workers: Counter[tuple[int, str]] = Counter()
    nodes: Counter[tuple[int, str]] = Counter()
    for (executor, _), view in history.managers.items():
        if view.gone_s is None:
            workers[executor, view.facts.block] += view.facts.workers
            nodes[executor, view.facts.block] += 1
    found = [
        BlockAnswer(
            executor_name(history, key[0]), key[1], changes[-1].job, changes[-1].state, changes[-1].reason,
            _since(changes), nodes[key], workers[key],
        )
        for key, changes in history.blocks.items()
    ]  # fmt: skip
    return sorted(found, key=lambda block: block.is_over)


def _since(changes: list[BlockChanged]) -> float:
    """Return when the present state began."""
    since_s = changes[-1].time_s
    for change in reversed(changes):
        if change.state != changes[-1].state:
            break
        since_s = change.time_s
    return since_s


@dataclass(frozen=True)
class NodeAnswer:
    """One manager and its node. ``running`` counts tasks that have run for a second; memory is in bytes."""

    executor: str
    host: str
    block: str
    manager: str
    workers: int
    running: int
    total_memory: int
    standing: str
    is_connected: bool


def nodes(history: RunHistory, tally: Tally) -> list[NodeAnswer]:
    """Return the nodes of a run, those that are connected first."""
    tasks = history.tasks
    running = Counter((tasks.executor[task], tasks.manager[task]) for task in tally.running)
    standings = {(change.executor, change.host): change.text for change in history.nodes}
    found = []
    for key, view in history.managers.items():
        facts = view.facts
        text = _why_gone(history, key[0], view) or standings.get((key[0], facts.host), "")
        found.append(
            NodeAnswer(
                executor_name(history, key[0]), facts.host, facts.block, facts.name, facts.workers,
                running[key], facts.total_memory, text, view.gone_s is None,
            )
        )  # fmt: skip
    return sorted(found, key=lambda node: not node.is_connected)


def _why_gone(history: RunHistory, executor: int, view: ManagerView) -> str:
    """Return why a manager has gone; empty if it has not. The signal that ends an idle block is left out."""
    if view.gone_s is None:
        return ""
    is_planned = view.reason == _ENDED_BY_JOB and any(
        change.state == JobState.SCALED_IN.name and abs(change.time_s - view.gone_s) <= _SCALE_IN_S
        for change in history.blocks.get((executor, view.facts.block), ())
    )
    return "its block was scaled in" if is_planned else view.reason or "gone"


def why_waiting(history: RunHistory, tally: Tally, now_s: float) -> list[str]:
    """Return why tasks wait, or why nothing runs: one sentence for each reason, none if nothing waits.

    Args:
        history: What is known of a run in progress.
        tally: The counts of the same records.
        now_s: The present moment (seconds since the epoch).
    """
    state = progress(history, tally, now_s)
    if not state.counts.total:
        return ["No task has been submitted yet."]
    if not state.counts.unfinished:
        return ["All tasks submitted so far have ended; the script may submit more."]
    reasons = []
    if state.counts.launched:
        for number in range(len(history.executors)):
            reasons += _limits_of(history, tally, number, now_s)
    if state.counts.waiting and not state.counts.launched and not state.counts.running:
        reasons.append(
            f"{_tasks(state.counts.waiting)} for files, or for futures that are not tasks: none is launched."
        )
    elif state.counts.waiting:
        reasons.append(f"{_tasks(state.counts.waiting)} for other tasks.")
    return reasons


def _limits_of(history: RunHistory, tally: Tally, executor: int, now_s: float) -> list[str]:
    name = executor_name(history, executor)
    own = [block for block in blocks(history) if block.executor == name]
    found = [node for node in nodes(history, tally) if node.executor == name and node.is_connected]
    reasons = [_reason_of(block, now_s) for block in own if not block.is_over and not block.nodes]
    reasons += [f"{name}: node {node.host}: {node.standing}." for node in found if node.standing]
    if not found:
        failed = [block for block in own if block.is_over and block.reason]
        if failed and not reasons:
            last = max(failed, key=lambda block: block.since_s)
            reasons.append(f"{name}: block {last.block} ended ({last.state}): {_sentence(last.reason)}")
        elif history.executors[executor].provider and not reasons:
            reasons.append(f"{name}: {_no_block(len(own), history.executors[executor].max_blocks)}")
        return reasons
    workers = sum(node.workers for node in found)
    # A start may be reported without the manager, so that the nodes' counts are not enough.
    running = sum(history.tasks.executor[task] == executor for task in tally.running)
    if running >= workers:
        limit = history.executors[executor].max_blocks
        active = sum(not block.is_over for block in own)
        more = f", and no further block is started: max_blocks is {limit}" if 0 <= limit <= active else ""
        reasons.append(f"{name}: all {workers} workers are busy{more}.")
    return reasons


def _no_block(ended: int, max_blocks: int) -> str:
    if max_blocks == 0:
        return "no block is started, because the provider has max_blocks=0."
    if not ended:
        return "no block has been requested."
    blocks = "its block has" if ended == 1 else f"its {ended:,} blocks have"
    return f"{blocks} ended, and no other one has been requested."


def _reason_of(block: BlockAnswer, now_s: float) -> str:
    job = f" (job {block.job})" if block.job else ""
    for_s = duration(max(0.0, now_s - block.since_s))
    if block.state == "RUNNING":
        return (
            f"{block.executor}: block {block.block}{job} has run for {for_s}, but no manager has connected."
        )
    reason = f": {_sentence(block.reason)}" if block.reason else "."
    return f"{block.executor}: block {block.block}{job} has been {block.state} for {for_s}{reason}"


def _sentence(text: str) -> str:
    first = text.strip().partition("\n")[0]
    return first if first.endswith((".", "!", "?")) else f"{first}."


def _tasks(number: int) -> str:
    return "1 task waits" if number == 1 else f"{number:,} tasks wait"


def executor_name(history: RunHistory, number: int) -> str:
    """Return the label of an executor; after damage it may be unknown."""
    label = executor_label(history.executors, number)
    return "driver" if label == INTERNAL_LABEL else label


def duration(seconds: float | None) -> str:
    """Return a duration for people, in at most two units: ``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds is None:
        return ""
    if 0 < seconds < 0.000_995:
        return f"{seconds * 1e6:.3g} µs"
    if seconds < 0.0995:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 59.95:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    for name, size, smaller, divisor in (("d", 86_400, "h", 3600), ("h", 3600, "min", 60)):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // divisor} {smaller}"
    return f"{whole // 60} min {whole % 60} s"
