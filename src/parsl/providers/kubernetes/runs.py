"""The Jobs of all runs in a namespace, for ``parsl clouds``, in the terms of the machines of clouds."""

from __future__ import annotations

from typing import Any

from parsl.providers.kubernetes.block_state import has_finished
from parsl.providers.kubernetes.cluster import Cluster
from parsl.providers.kubernetes.deletion import sweep
from parsl.providers.kubernetes.manifests import BLOCK_LABEL, MANAGER_LABEL, RUN_LABEL, selector
from parsl.providers.machines.cloud import Machine, MachineState
from parsl.providers.machines.tags import epoch_s

_STATES = {"Pending": MachineState.STARTING, "Running": MachineState.RUNNING}


def listed(cluster: Cluster, run: str | None) -> list[Machine]:
    """Return the pods of each Job that has not ended, or the Job itself while it has none.

    Args:
        cluster: The cluster.
        run: The value of the label ``parsl-run``; None for all runs.

    Raises:
        ServiceError: The cluster does not answer.
    """
    labels = f"{MANAGER_LABEL}=parsl" if run is None else selector(run)
    jobs = [job for job in cluster.jobs(labels) if _label(job, RUN_LABEL)]
    jobs = [job for job in jobs if not has_finished(job) and not _is_going(job)]
    pods: dict[str, list[Machine]] = {}
    for pod in cluster.pods(labels) if jobs else ():
        if pod["status"].get("phase") in _STATES and not _is_going(pod):
            pods.setdefault(_label(pod, BLOCK_LABEL), []).append(_machine("pod", pod))
    return [one for job in jobs for one in pods.get(job["metadata"]["name"]) or [_machine("job", job)]]


def sweep_run(cluster: Cluster, run: str) -> tuple[list[str], list[str]]:
    """Delete the Jobs of a run; return their names, and what is still there.

    Raises:
        ServiceError: The cluster does not answer, or refuses.
    """
    deleted, problems = sweep(cluster, run)
    left = [one.machine_id for one in listed(cluster, run)]
    if left and problems:
        raise problems[0]
    return [f"job/{name}" for name in deleted], left


def _machine(kind: str, item: dict[str, Any]) -> Machine:
    state = _STATES.get(item.get("status", {}).get("phase", ""), MachineState.STARTING)
    name, run = item["metadata"]["name"], _label(item, RUN_LABEL)
    created_s = epoch_s(item["metadata"].get("creationTimestamp"))
    return Machine(f"{kind}/{name}", state, run, _label(item, BLOCK_LABEL), created_s=created_s)


def _label(item: dict[str, Any], name: str) -> str:
    return str(item["metadata"].get("labels", {}).get(name, ""))


def _is_going(item: dict[str, Any]) -> bool:
    return "deletionTimestamp" in item["metadata"]
