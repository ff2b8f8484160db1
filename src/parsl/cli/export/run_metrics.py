"""A run as Prometheus metrics. Each scrape reads what is new in the event log."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from math import inf

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from parsl.eventlog import answers
from parsl.eventlog.watch import RunWatch

#: The limits of the classes of run times (s).
_LIMITS_S = (0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 21_600)


class RunMetrics(Collector):
    """The metrics of a run, for a registry of prometheus_client. Several threads may collect them.

    Args:
        watch: The run; the collector owns it from now on.
    """

    def __init__(self, watch: RunWatch) -> None:
        self._watch = watch
        self._lock = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        """Read what is new, and return the metrics."""
        with self._lock:
            self._watch.read_to_end()
            return iter([*self._run(), *self._tasks(), *self._failures(), *self._resources()])

    def _run(self) -> Iterator[Metric]:
        history = self._watch.history
        run, now_s = history.run, self._watch.now_s()
        progress = answers.progress(history, self._watch.tally, now_s)
        if run is not None:
            info = {
                "run_id": run.run_id,
                "workflow": run.workflow_name,
                "host": run.host,
                "run_dir": run.run_dir,
            }
            yield InfoMetricFamily("parsl_run", "The run.", info)
            yield _gauge("parsl_run_start_time_seconds", "When the run began, since the epoch.", run.began_s)
        is_live = float(now_s is not None)
        yield _gauge("parsl_run_active", "1 while the run is in progress, 0 when the run is over.", is_live)
        yield _gauge("parsl_run_elapsed_seconds", "How long the run has taken.", progress.elapsed_s)
        remaining_s = progress.estimate.remaining_s
        if remaining_s is not None:
            yield _gauge(
                "parsl_run_remaining_seconds", "Estimate for the tasks submitted so far.", remaining_s
            )
        yield _gauge("parsl_workers_busy", "About how many workers are busy.", progress.busy_workers)
        missing = CounterMetricFamily("parsl_event_log_missing_records", "Records that could not be written.")
        missing.add_metric([], sum(gap.records for gap in history.gaps))
        yield missing

    def _tasks(self) -> Iterator[Metric]:
        ended = CounterMetricFamily("parsl_tasks", "Tasks that have ended.", labels=["app", "state"])
        present = GaugeMetricFamily("parsl_tasks_unfinished", "Tasks that have not.", labels=["app", "state"])
        times = HistogramMetricFamily(
            "parsl_task_run_seconds", "How long tasks ran on workers.", labels=["app"]
        )
        for app in answers.apps(self._watch.history, self._watch.tally):
            counts = app.counts
            for state, number in (("done", counts.done), ("failed", counts.failed)):
                ended.add_metric([app.name, state], number)
            for state, number in zip(("waiting", "launched", "running"), counts[:3], strict=True):
                present.add_metric([app.name, state], number)
            found = self._watch.tally.run_times.get(app.number)
            if found is not None:
                buckets = [(str(float(limit)), found.number_up_to(limit)) for limit in (*_LIMITS_S, inf)]
                buckets[-1] = ("+Inf", found.number)
                times.add_metric([app.name], buckets, found.total_s)
        yield from (ended, present, times)

    def _failures(self) -> Iterator[Metric]:
        failures = CounterMetricFamily(
            "parsl_attempts_failed", "Attempts that have failed.", labels=["error", "outcome"]
        )
        counts: Counter[tuple[str, str]] = Counter()
        for group in self._watch.failures.largest_first():
            error = group.error or group.pattern
            counts[error, "tried again"] += group.tried_again
            counts[error, "final"] += group.failed
        for (error, outcome), number in counts.items():
            failures.add_metric([error, outcome], number)
        yield failures

    def _resources(self) -> Iterator[Metric]:
        history, tally = self._watch.history, self._watch.tally
        blocks = GaugeMetricFamily("parsl_blocks", "Blocks by their state.", labels=["executor", "state"])
        for key, number in Counter(
            (block.executor, block.state) for block in answers.blocks(history)
        ).items():
            blocks.add_metric(list(key), number)
        managers = GaugeMetricFamily("parsl_managers", "Connected managers.", labels=["executor"])
        workers = GaugeMetricFamily("parsl_workers", "Workers of connected managers.", labels=["executor"])
        nodes = answers.nodes(history, tally)
        for executor in sorted({node.executor for node in nodes}):
            own = [node.workers for node in nodes if node.executor == executor and node.is_connected]
            managers.add_metric([executor], len(own))
            workers.add_metric([executor], sum(own))
        yield from (blocks, managers, workers)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value)
