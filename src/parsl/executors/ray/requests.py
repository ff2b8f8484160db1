"""What a task requests, in Ray's terms: pure functions."""

from __future__ import annotations

from typing import Any

from parsl.executors.engines.requests import Request

#: Ray counts memory in bytes, tasks request it in MB.
MB = 2**20

#: Retries are the kernel's, so Ray does none.
NO_RETRIES: dict[str, Any] = {"max_retries": 0, "retry_exceptions": False}


def task_options(request: Request) -> dict[str, Any]:
    """Return the options of a remote function for one task. What is not requested has Ray's default."""
    options: dict[str, Any] = {}
    if request.cores is not None:
        options["num_cpus"] = request.cores
    if request.gpus is not None:
        options["num_gpus"] = request.gpus
    if request.memory is not None:
        options["memory"] = int(request.memory * MB)
    if request.resources:
        options["resources"] = dict(request.resources)
    return options


def bundle(request: Request) -> dict[str, float]:
    """Return what a task with several nodes holds on each of them, for a placement group."""
    cores = 1.0 if request.cores is None else request.cores
    amounts = {"CPU": cores, "GPU": request.gpus or 0, "memory": int((request.memory or 0) * MB)}
    amounts.update(request.resources)
    held = {name: amount for name, amount in amounts.items() if amount}
    return held or {"CPU": 1.0}  # Ray refuses a bundle of nothing


def options_key(request: Request) -> tuple[object, ...]:
    """Return what distinguishes requests whose tasks have the same options."""
    return request.cores, request.gpus, request.memory, tuple(sorted(request.resources.items()))
