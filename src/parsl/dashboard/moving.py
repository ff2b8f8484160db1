"""Is it moving? Totals, apps, the rate over time, the end if it can be estimated; and why tasks wait."""

from __future__ import annotations

from typing import Any

import numpy as np

from parsl.dashboard.binning import counted, mean_number, window_of
from parsl.dashboard.live import Known
from parsl.eventlog import answers, records

#: How many bins a chart has.
_BINS = 180
#: At most this many apps have a row of their own.
_MAX_APPS = 200
_MAX_REASONS = 12


def overview(known: Known) -> dict[str, Any]:
    """Return what the top of the page shows; quick, also for a run that has not been read yet."""
    history, watch = known.history, known.watch
    state = answers.progress(history, watch.tally, known.now_s())
    answer = {
        "run": _run_facts(history.run),
        "standing": known.standing(),
        "is_read": known.is_read,
        "share_read": watch.share_read if history.run is not None else 0.0,
        "until_s": known.until_s() if known.is_read else 0.0,
        "began_s": history.run.began_s if history.run is not None else 0.0,
        "elapsed_s": state.elapsed_s,
        "counts": state.counts._asdict(),
        "rate": state.rate,
        "estimate": state.estimate._asdict(),
        "apps": [_app(app) for app in answers.apps(history, watch.tally)[:_MAX_APPS]],
        "app_count": len(history.counts),
        "problems": known.watch.problems(),
        "workers": _workers(known, state.busy_workers),
    }
    if not known.is_read and history.summary is not None:
        answer |= _from_summary(history.summary)
    return answer


def _run_facts(run: records.RunBegan | None) -> dict[str, Any] | None:
    if run is None:
        return None
    names = ("run_id", "run_dir", "workflow_name", "host", "user", "pid", "python_version", "parsl_version")
    return {**{name: getattr(run, name) for name in names}, "command": " ".join(run.command)}


def _app(app: answers.AppAnswer) -> dict[str, Any]:
    return {
        "number": app.number,
        "name": app.name,
        **app.counts._asdict(),
        "total": app.counts.total,
        "median_s": app.median_s,
        "p90_s": app.p90_s,
        "max_s": app.max_s,
    }


def _from_summary(summary: records.Summary) -> dict[str, Any]:
    counts, apps = answers.totals(summary)
    return {
        "counts": counts._asdict(),
        "apps": [_app(app) for app in apps[:_MAX_APPS]],
        "app_count": len(summary.apps),
    }


def _workers(known: Known, busy: float) -> dict[str, float]:
    connected = [view.facts for view in known.history.managers.values() if view.gone_s is None]
    number = sum(facts.workers for facts in connected)
    return {"busy": min(busy, number) if number else busy, "number": number, "nodes": len(connected)}


def rates(known: Known) -> dict[str, Any]:
    """Return how many tasks were done and failed per second, and how many ran, over time."""
    table = known.table
    until_s = known.until_s()
    window = window_of(known.began_s(), until_s, _BINS)
    failed = counted(table.returned_s[table.is_failed], window)
    ended = counted(table.returned_s[table.is_final], window)
    ends_s = table.end_s(until_s)
    running = mean_number(table.started_s, ends_s, np.zeros(len(table), np.int64), 1, window)[0]
    return {
        "time_s": window.middles_s(),
        "bin_s": window.bin_s,
        "done": _rounded((ended - failed) / window.bin_s),
        "failed": _rounded(failed / window.bin_s),
        "running": _rounded(running),
    }


def _rounded(values: Any) -> list[float]:
    return [float(f"{value:.4g}") for value in values]


def waiting(known: Known) -> dict[str, Any]:
    """Return why tasks wait: sentences, blocks with the scheduler's reason, nodes."""
    history, watch = known.history, known.watch
    now_s = known.now_s()
    reasons = answers.why_waiting(history, watch.tally, now_s) if now_s is not None else []
    blocks = answers.blocks(history)
    nodes = answers.nodes(history, watch.tally)
    return {
        "reasons": reasons[:_MAX_REASONS],
        "is_over": now_s is None,
        "until_s": known.until_s(),
        "blocks": [{**vars(block), "is_over": block.is_over} for block in blocks[:100]],
        "block_count": len(blocks),
        "nodes": [vars(node) for node in nodes[:100]],
        "node_count": len(nodes),
        "changes": [
            {"executor": answers.executor_name(history, change.executor), "time_s": change.time_s,
             "host": change.host, "text": change.text}
            for change in history.nodes[-50:][::-1]
        ],
    }  # fmt: skip
