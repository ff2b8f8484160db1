"""The failures of a run: read from its log, and written for the terminal."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from textwrap import indent
from time import localtime, strftime
from typing import Any

from parsl.cli import counted
from parsl.common.representation import rounded_s
from parsl.dataflow.tasks.failure_log import FAILURE_LOG, RUN_OVER
from parsl.eventlog import CANCELLED, DEPENDENCY_FAILED, FAILED, TRIED_AGAIN
from parsl.failure_facts import FailureFacts

#: A line of the failure log.
Line = dict[str, Any]
#: The list of failed tasks shows the first line of each error, up to this many characters.
_FIRST_LINE_CHARS = 160
_HEADINGS = {
    FAILED: "Failed:",
    DEPENDENCY_FAILED: "Never run, because a dependency has failed:",
    CANCELLED: "Cancelled:",
    TRIED_AGAIN: "An attempt failed; these tasks have succeeded since, or were still being retried:",
}
#: The outcomes of attempts.
_ATTEMPTED = (FAILED, TRIED_AGAIN)


class NoFailureLog(Exception):
    """A run has no readable failure log; the message explains what that means."""


class Failures:
    """The failures of a run: the lines of its log, oldest first, and the number of unreadable ones."""

    def __init__(self, run: str, lines: list[Line], unreadable: int) -> None:
        self.run = run
        self.lines = lines
        self.unreadable = unreadable
        self.by_task: dict[int, list[Line]] = {}
        #: The number of tasks that had not ended at the end of the run.
        self.unfinished = 0
        for line in lines:
            if line.get("outcome") == RUN_OVER:
                self.unfinished = line.get("unfinished", 0)
            elif isinstance(line.get("task_id"), int):
                self.by_task.setdefault(line["task_id"], []).append(line)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.by_task)} tasks in {self.run}>"


def read_failures(run: str) -> Failures:
    """Read the failure log of a run; raise `NoFailureLog` if there is no readable one."""
    path = os.path.join(run, FAILURE_LOG)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            texts = file.read().splitlines()
    except FileNotFoundError:
        raise NoFailureLog(_no_log(run)) from None
    except OSError as error:
        raise NoFailureLog(f"{path} cannot be read: {error.strerror or error}") from error
    lines = []
    for text in texts:
        # A line is incomplete if the run was killed or the disk was full.
        with suppress(ValueError):
            lines.append(json.loads(text))
    lines = [line for line in lines if isinstance(line, dict)]
    if not lines:
        raise NoFailureLog(f"{path} has no readable line")
    return Failures(run, lines, len(texts) - len(lines))


def _no_log(run: str) -> str:
    if os.path.exists(os.path.join(run, "parsl.log")):
        return f"no failures are recorded in {run}: no attempt of a task has failed"
    return (
        f"{run} has no {FAILURE_LOG} and no parsl.log: no task has failed, it is not the directory of a run, "
        "or the run wrote no logs (Config(initialize_logging=False))"
    )


def all_failures(failures: Failures) -> str:
    """Return a list of the tasks with failures, by outcome."""
    last = {task: lines[-1] for task, lines in sorted(failures.by_task.items())}
    parts = [f"Run {failures.run}"]
    for outcome, heading in _HEADINGS.items():
        found = [line for line in last.values() if line["outcome"] == outcome]
        if found:
            parts += ["", heading, *(_one_task(line) for line in found)]
    parts.append("")
    if failures.unfinished:
        parts.append(f"{counted(failures.unfinished, 'task')} had not ended at the end of the run.")
    parts += [*_left_out(failures), f"`parsl explain {failures.run} TASK` shows the attempts of a task."]
    return "\n".join(parts)


def _one_task(line: Line) -> str:
    attempts = line.get("attempt", 1)
    parts = [f"  task {line['task_id']} ({line.get('app')})"]
    if line["outcome"] in _ATTEMPTED:
        where = f" on {line['host']}" if line.get("host") else ""
        parts.append(f"{attempts} attempts, the last{where}" if attempts > 1 else f"1 attempt{where}")
    return ": ".join([*parts, _first_line(line)])


def _first_line(line: Line) -> str:
    if "error" not in line:
        return str(line["outcome"])
    text, _, more = f"{_short_name(line)}: {_message(line)}".strip().partition("\n")
    if text.endswith(":"):
        text = f"{text} {more.strip().partition(chr(10))[0]}".rstrip()
    return text if len(text) <= _FIRST_LINE_CHARS else text[:_FIRST_LINE_CHARS] + "..."


def _message(line: Line) -> str:
    """Return the message of the error without the task and attempt at its beginning."""
    task = f"Task {line['task_id']} ({line.get('app')}), attempt {line.get('attempt')}: "
    return str(line.get("message", "")).strip().removeprefix(task)


def _left_out(failures: Failures) -> list[str]:
    count = failures.unreadable
    return [f"{counted(count, 'line')} of the log cannot be read, and not shown here."] if count else []


def task_history(failures: Failures, task: int) -> str:
    """Return the history of one task, attempt by attempt."""
    lines = failures.by_task[task]
    first, last = lines[0], lines[-1]
    end = str(last["outcome"])
    if end == TRIED_AGAIN:
        end = "attempts have failed; it has succeeded since, or was still being retried"
    label = f", labelled {last['label']!r}" if last.get("label") else ""
    parts = [
        f"Task {task} ({last.get('app')}{label}) of run {failures.run}: {end}",
        f"  called {moment(first.get('called'))}",
    ]
    for line in lines:
        parts += ["", *_attempt(line)]
    if (root := last.get("root_task")) is not None:
        parts += ["", f"  `parsl explain {failures.run} {root}` shows the task that failed first."]
    parts += ["", *_files(lines), *_left_out(failures)]
    return "\n".join(parts).rstrip()


def nothing_known(failures: Failures, task: int) -> str:
    """Return the message that there is no failure of a task."""
    ids = sorted(failures.by_task)
    some = ", ".join(map(str, ids[:20])) + (", ..." if len(ids) > 20 else "")
    text = (
        f"no failure of task {task} is recorded in {failures.run}: it has succeeded, has not ended, or does "
        f"not exist. Tasks with failures: {some or 'none'}."
    )
    if failures.unfinished:
        text += f" When the run was over, {counted(failures.unfinished, 'task')} had not ended."
    return text


def _attempt(line: Line) -> list[str]:
    """Return the lines about one attempt, or about the end of a task that was never attempted."""
    if line["outcome"] not in _ATTEMPTED:
        return [f"  {moment(line['time'])}: {line['outcome']}", *_indented(_message(line))]
    executor = line.get("executor")
    where = "in the driver" if str(executor).startswith("_parsl") else f"on executor {executor}"
    parts = [f"  attempt {line.get('attempt')} {where}: {_times(line)}"]
    facts = FailureFacts(**line)
    manager = f"manager {facts.manager}" if facts.manager else ""
    if place := ", ".join(filter(None, (facts.place, manager))):
        parts.append(f"    {place}")
    if facts.usage:
        parts.append(f"    {facts.usage}")
    parts += _indented(f"{_short_name(line)}: {_message(line)}")
    tail = line.get("stderr_tail")
    if tail and tail not in line.get("message", ""):
        parts += _indented(f"the end of its stderr:\n{tail}")
    if line.get("traceback") and not line["error"].startswith("parsl."):
        parts += _indented(f"where it was raised:\n{line['traceback'].rstrip()}")
    parts.append(f"    -> {_consequence(line)}")
    return parts


def _times(line: Line) -> str:
    launched, ended = line.get("launched"), line["time"]
    if launched is None:
        return f"{moment(ended)}, never submitted to its executor"
    took_s = ended - launched
    took = rounded_s(took_s) if took_s >= 0.001 else "less than 1 ms"
    return f"{moment(launched)} to {moment(ended)}, {took} including waiting"


def _consequence(line: Line) -> str:
    if line.get("is_job_end"):
        return f"{line['outcome']}; the end of a job costs no retry"
    if "root_task" in line or line.get("error", "").endswith(".JoinError"):
        return f"{line['outcome']}; the failure of another task is not retried here"
    return f"{line['outcome']} (the failures have cost {line.get('cost')}; retries={line.get('retries')})"


def _files(lines: list[Line]) -> list[str]:
    """Return the paths of the logs."""
    found: dict[str, str] = {}
    for line in lines:
        for name, what in (("stdout", "stdout"), ("stderr", "stderr"), ("manager_log", "manager's log")):
            if line.get(name):
                found.setdefault(line[name], what)
    return ["  files:", *(f"    {path}  ({what})" for path, what in found.items())] if found else []


def _indented(text: str) -> list[str]:
    return indent(text.strip(), "    ").splitlines()


def _short_name(line: Line) -> str:
    name = str(line.get("error", "")).removeprefix("builtins.")
    return name.rpartition(".")[2] if name.startswith("parsl.") else name


def moment(seconds: float | None) -> str:
    """Return a moment (seconds since the epoch) as local date and time."""
    return "?" if seconds is None else strftime("%Y-%m-%d %H:%M:%S", localtime(seconds))
