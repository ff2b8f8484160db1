"""One task: its life, its attempts, its neighbours."""

from __future__ import annotations

from typing import Any

from parsl.dashboard.live import Known

#: At most this many neighbours, attempts and samples are shown.
_MAX_NEIGHBOURS = 40
_MAX_ATTEMPTS = 50
_MAX_SAMPLES = 200


def task(known: Known, number: int) -> dict[str, Any] | None:
    """Return a task; None if the run has no such task yet."""
    history = known.history
    try:
        view = history.task(number)
    except KeyError:
        return None
    after, after_count = known.dependencies.after(number, _MAX_NEIGHBOURS)
    extra = view.extra
    return {
        **{name: value for name, value in view._asdict().items() if name not in ("extra", "depends")},
        "attempt": view.attempt + 1,
        "until_s": known.until_s(),
        "label": extra.label,
        "stdout": extra.stdout,
        "stderr": extra.stderr,
        "inputs": extra.inputs,
        "outputs": extra.outputs,
        "joins": [_neighbour(known, other) for other in extra.joins[:_MAX_NEIGHBOURS]],
        "before": [_neighbour(known, other) for other in view.depends[:_MAX_NEIGHBOURS]],
        "before_count": len(view.depends),
        "after": [_neighbour(known, other) for other in after],
        "after_count": after_count,
        "failures": _failures(known, number),
        "samples": [
            [row.time_s, row.memory_resident, row.user_s + row.system_s]
            for row in history.samples.get(number, [])[-_MAX_SAMPLES:]
        ],
    }


def _neighbour(known: Known, number: int) -> dict[str, Any]:
    try:
        view = known.history.task(number)
    except KeyError:
        return {"id": number, "app": "", "state": ""}
    return {"id": number, "app": view.app, "state": view.state}


def _failures(known: Known, number: int) -> list[dict[str, Any]]:
    found = [failure for failure in known.history.failures if failure.task == number]
    return [
        {"attempt": failure.attempt + 1, "time_s": failure.time_s, "outcome": failure.outcome,
         "error": failure.error, "message": failure.message, "host": failure.host,
         "root_task": failure.root_task, "run_s": _known(failure.run_s), "cpu_s": _known(failure.cpu_s),
         "peak_memory": _known(failure.peak_memory), "worker": _known(failure.worker)}
        for failure in found[:_MAX_ATTEMPTS]
    ]  # fmt: skip


def _known(value: float) -> float | None:
    return None if value < 0 else value
