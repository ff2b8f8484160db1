"""Pictures of runs, for notebooks and reports: the extra ``parsl[figures]``."""

from __future__ import annotations

import io
import os
from typing import Any

from parsl.errors import OptionalModuleMissing
from parsl.eventlog.history import RunHistory, read_history
from parsl.vocabulary.task_states import FINAL_FAILURE_STATES

try:
    import numpy
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ImportError as error:
    raise OptionalModuleMissing(["matplotlib"], "pictures of runs: pip install 'parsl[figures]'") from error

#: How many apps have their run times shown: those that took most of the time.
_MAX_APPS = 12


class RunFigure(Figure):
    """A figure that notebooks show without ``%matplotlib inline``."""

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.savefig(stream, format="png")
        return stream.getvalue()


def figure_of_run(run: str | os.PathLike[str]) -> RunFigure:
    """Draw a run: its ended tasks over time, the tasks that ran at the same time, and run times by app.

    Args:
        run: The run directory, or its event log. The run may be in progress.

    Returns:
        The figure. A notebook shows it; ``figure.savefig("run.pdf")`` writes it to a file.

    Raises:
        EventLogError: There is no event log, or it cannot be read.
    """
    history = read_history(run)
    figure = RunFigure(figsize=(9, 9), layout="constrained")
    ended, running, times = figure.subplots(3, 1)
    running.sharex(ended)
    facts = _Columns(history)
    _draw_ended(ended, facts)
    _draw_running(running, facts)
    _draw_run_times(times, facts, history)
    figure.suptitle(_title(history))
    return figure


class _Columns:
    """The columns of tasks that the figure needs; moments are seconds since the run has begun."""

    def __init__(self, history: RunHistory) -> None:
        tasks = history.tasks
        state = numpy.array(tasks.state)
        known = state != tasks.NO_TASK
        invoked = numpy.array(tasks.invoked_s)[known]
        run = history.run
        began_s = run.began_s if run is not None else min(invoked, default=0.0)
        self.app = numpy.array(tasks.app)[known]
        self.has_failed = numpy.isin(state[known], [int(each) for each in FINAL_FAILURE_STATES])
        self.started = _since(began_s, tasks.started_s, known)
        self.returned = _since(began_s, tasks.returned_s, known)


def _since(began_s: float, moments_s: Any, known: Any) -> Any:
    """Return moments as seconds since the beginning; NaN where they are not known."""
    moments = numpy.array(moments_s)[known]
    return numpy.where(moments < 0, numpy.nan, moments - began_s)


def _draw_ended(axes: Axes, facts: _Columns) -> None:
    for label, chosen, colour in (
        ("done", ~facts.has_failed, "tab:green"),
        ("failed", facts.has_failed, "tab:red"),
    ):
        moments = numpy.sort(facts.returned[chosen & ~numpy.isnan(facts.returned)])
        if len(moments):
            axes.step(moments, numpy.arange(1, len(moments) + 1), where="post", color=colour, label=label)
    axes.set_ylabel("ended tasks")
    if axes.get_lines():
        axes.legend(loc="upper left")


def _draw_running(axes: Axes, facts: _Columns) -> None:
    has_started = ~numpy.isnan(facts.started)
    starts = facts.started[has_started]
    ends = facts.returned[has_started & ~numpy.isnan(facts.returned)]
    moments = numpy.concatenate([starts, ends])
    changes = numpy.concatenate([numpy.ones(len(starts)), -numpy.ones(len(ends))])
    order = numpy.argsort(moments, kind="stable")
    axes.fill_between(moments[order], numpy.cumsum(changes[order]), step="post", color="tab:blue", alpha=0.5)
    axes.set_ylabel("running tasks")
    axes.set_xlabel("seconds since the run has begun")


def _draw_run_times(axes: Axes, facts: _Columns, history: RunHistory) -> None:
    took = facts.returned - facts.started
    times = {
        history.app_name(app): took[(facts.app == app) & (took > 0)]
        for app in sorted(set(facts.app.tolist()))
    }
    chosen = sorted(times, key=lambda name: float(times[name].sum()), reverse=True)[:_MAX_APPS]
    shown = [name for name in chosen if len(times[name])]
    if shown:
        positions = range(1, len(shown) + 1)
        axes.boxplot(
            [times[name] for name in shown], positions=positions, orientation="horizontal", whis=(0, 100)
        )
        axes.set_yticks(positions, [f"{name} ({len(times[name]):,})" for name in shown])
        axes.set_xscale("log")
        axes.invert_yaxis()
    axes.set_xlabel("run time in seconds: minimum, quartiles, maximum")


def _title(history: RunHistory) -> str:
    run = history.run
    name = "a run" if run is None else f"{run.workflow_name}, {os.path.basename(run.run_dir)}"
    failed = sum(app.failed for app in history.counts)
    return f"{name}: {sum(app.done for app in history.counts):,} tasks done, {failed:,} failed"
