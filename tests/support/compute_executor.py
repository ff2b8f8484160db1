"""A stand-in for ``globus_compute_sdk.Executor`` and an endpoint, which behaves as the SDK documents."""

from __future__ import annotations

import json
import pickle
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from threading import Lock
from typing import Any

#: The keys that this endpoint's engine knows.
KNOWN_KEYS = frozenset({"num_nodes", "ranks_per_node", "priority"})


class TaskExecutionFailed(Exception):
    """As the SDK's: the remote error as a text."""

    def __init__(self, remote_data: str) -> None:
        super().__init__(remote_data)
        self.remote_data = remote_data


class ComputeExecutor:
    """Runs functions in processes. It copies its attributes at each submission, and cannot cancel."""

    def __init__(self, workers: int = 2) -> None:
        self.resource_specification: Any = {}
        self._user_endpoint_config: Any = {"queue": "default"}
        self.workers = workers
        #: For each task, the resources and settings that it was submitted with, and the function.
        self.submitted: list[tuple[Any, Any, Any]] = []
        self.refuses: Exception | None = None
        self.shutdowns: list[dict[str, bool]] = []
        self._pool: ProcessPoolExecutor | None = None
        self._lock = Lock()

    @property
    def user_endpoint_config(self) -> Any:
        return self._user_endpoint_config

    @user_endpoint_config.setter
    def user_endpoint_config(self, value: Any) -> None:
        if value is not None and not isinstance(value, dict):
            raise TypeError(f"Config must be of type dict, not {type(value).__name__}")
        json.dumps(value)
        self._user_endpoint_config = value

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        if self.shutdowns:
            raise RuntimeError("ComputeExecutor is shutdown; no new functions may be executed")
        if self.refuses is not None:
            raise self.refuses
        resources = json.loads(json.dumps(self.resource_specification))
        self.submitted.append((resources, json.loads(json.dumps(self.user_endpoint_config)), function))
        future: Future[Any] = Future()
        if unknown := set(resources or {}) - KNOWN_KEYS:
            path = "parsl.executors.errors.InvalidResourceSpecification"
            text = (
                f"Traceback\n  ...\n {path}: Invalid Resource Specification Supplied: {unknown}. Not known."
            )
            future.set_exception(TaskExecutionFailed(text))
        else:
            work = self._working_pool().submit(_execute, pickle.dumps((function, args)))
            work.add_done_callback(lambda done: self._ended(future, done))
        return future

    def _working_pool(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None or self._pool._broken:  # type: ignore[attr-defined]
                self._pool = ProcessPoolExecutor(self.workers, mp_context=get_context("spawn"))
            return self._pool

    def _ended(self, future: Future[Any], done: Future[Any]) -> None:
        error = done.exception()
        if isinstance(error, BrokenProcessPool):
            text = "parsl.executors.high_throughput.errors.WorkerLost: Task failure due to loss of worker 0"
            future.set_exception(TaskExecutionFailed(f"Traceback\n  ...\n {text}"))
        elif error is not None:
            future.set_exception(error)
        else:
            is_error, value = done.result()
            if is_error:
                future.set_exception(TaskExecutionFailed(value))
            else:
                future.set_result(value)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.shutdowns.append({"wait": wait, "cancel_futures": cancel_futures})
        if self._pool is not None:
            self._pool.shutdown(wait=True)


def _execute(packed: bytes) -> tuple[bool, Any]:
    try:
        function, args = pickle.loads(packed)
        return False, function(*args)
    except Exception:
        return True, traceback.format_exc()
