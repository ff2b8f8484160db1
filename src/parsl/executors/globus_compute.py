"""The executor that runs tasks on Globus Compute endpoints, through the SDK's own executor."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.errors import ConfigurationError
from parsl.executors.base import check_storage_access
from parsl.executors.engines.errors import (
    HOW_TO_INSTALL,
    EngineMismatch,
    EngineTaskError,
    EngineUnreachable,
)
from parsl.executors.engines.executor import EngineExecutor, EngineTask
from parsl.executors.engines.requests import Request
from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost

#: The largest call, in bytes. The service accepts 10 MiB of JSON. The SDK encodes three bytes as four, in
#: lines of 76, whose ends take two characters each; the rest is for what surrounds a call. A larger one would
#: not only fail: the SDK's executor stops for good when the service refuses a batch.
MAX_CALL_BYTES = 10 * 1024 * 1024 * 3 // 4 * 76 // 78 - 64 * 1024

#: The last line of a traceback that an endpoint sends, if the error is one of Parsl's executors there.
_ENGINE_ERROR = re.compile(
    r"^\s*parsl\.[\w.]+\.(WorkerLost|WorkerOverMemory|ManagerLost|InvalidResourceSpecification): (.*)", re.M
)
#: What an endpoint reports if its workers cannot import this module and its like.
_NO_PARSL = re.compile(r"No module named 'parsl|run_packed_call|cannot import name 'run_call'")

#: Submissions set attributes of the SDK's executor, which several executors may share. One lock for each.
_locks: WeakKeyDictionary[Any, Lock] = WeakKeyDictionary()
_locks_lock = Lock()


def run_packed_call(packed: bytes) -> bytes:
    """Run a call on a worker of an endpoint. Its source is complete: the SDK may send only that."""
    from parsl.executors.engines.remote_call import run_call

    return run_call(packed)


def _check_executor(owner: object, name: str, value: Any) -> Any:
    has_methods = callable(getattr(value, "submit", None)) and callable(getattr(value, "shutdown", None))
    if isinstance(value, type) or not has_methods or not hasattr(value, "user_endpoint_config"):
        expected = (
            'a globus_compute_sdk.Executor, such as Executor(endpoint_id="...") '
            "(pip install 'parsl[globus-compute]')"
        )
        validate.wrong_type(owner, name, value, expected)
    return value


class GlobusComputeExecutor(EngineExecutor, RepresentationMixin):
    """Runs tasks on a Globus Compute endpoint.

    The executor of Globus Compute's SDK is shut down with this one, and cannot be started again; nor can this
    executor. Globus Compute cannot cancel tasks. Each task may request resources and settings of its own:
    in ``parsl_resource_specification={"num_nodes": 2, "user_endpoint_config": {"queue": "debug"}}``, the key
    ``user_endpoint_config`` replaces that of the SDK's executor for the task, and the rest replaces that
    executor's ``resource_specification``. The endpoint checks both.

    Args:
        executor: The executor of the SDK: ``globus_compute_sdk.Executor(endpoint_id=...)``.
        label: The name by which apps choose this executor.
        storage_access: The staging providers to use; None for the default ones.
        working_dir: Where files are staged to, on the endpoint; None for the current directory.

    Raises:
        ParameterError: A parameter is not allowed.
    """

    engine = "Globus Compute"

    executor = validate.Custom(_check_executor)
    label = validate.Text(allow_empty=False, one_line=True)
    storage_access = validate.Custom(check_storage_access)
    working_dir = validate.Text(allow_empty=False, optional=True)

    def __init__(
        self,
        executor: Any,
        label: str = "GlobusComputeExecutor",
        storage_access: Sequence[Any] | None = None,
        working_dir: str | None = None,
    ) -> None:
        super().__init__()
        validate.assign(self, locals())
        #: What tasks without a specification request.
        self.resource_specification: Mapping[str, Any] | None = executor.resource_specification
        #: The configuration for tasks without a ``user_endpoint_config``.
        self.user_endpoint_config: Mapping[str, Any] | None = executor.user_endpoint_config
        with _locks_lock:
            self._lock = _locks.setdefault(executor, Lock())

    def prepare_restart(self) -> None:
        """Refuse: the SDK's executor ends with the run, and cannot be started again.

        Raises:
            ConfigurationError: Always.
        """
        raise ConfigurationError(
            f"GlobusComputeExecutor {self.label!r} serves one run, because the SDK's executor that it was "
            "given cannot be started again. Create both anew: "
            "GlobusComputeExecutor(globus_compute_sdk.Executor(endpoint_id=...))"
        )

    def connect(self) -> None:
        """Do nothing: the SDK connects when its executor is made, and with the first task."""

    def read_request(self, specification: dict[str, Any] | None) -> Request:
        """Return what a task requests: any keys, because only the endpoint knows which it accepts.

        Raises:
            InvalidResourceSpecification: It is not a dict with text as keys.
        """
        specification = specification or {}
        if unknown := [key for key in specification if not isinstance(key, str)]:
            raise InvalidResourceSpecification(map(repr, unknown), "All keys must be text.")
        return Request(options=specification)

    def start_task(self, task: EngineTask, call: Any, request: Request) -> None:
        """Submit a call to the SDK's executor."""
        if len(call) > MAX_CALL_BYTES:
            raise EngineTaskError(
                self,
                f"the call takes {len(call)} bytes, and Globus Compute accepts {MAX_CALL_BYTES}. Pass large "
                "data as a File, or by another service such as ProxyStore.",
            )
        self._submit(call, dict(request.options)).add_done_callback(partial(self._ended, task))

    def _submit(self, call: bytes, specification: dict[str, Any]) -> Future[Any]:
        settings = specification.pop("user_endpoint_config", self.user_endpoint_config)
        resources = specification or self.resource_specification
        sdk = self.executor
        with self._lock:
            before = sdk.resource_specification, sdk.user_endpoint_config
            try:
                self._assign(resources, settings)
                return sdk.submit(run_packed_call, call)  # type: ignore[no-any-return]
            except InvalidResourceSpecification:
                raise
            except Exception as error:
                lost = EngineUnreachable(
                    self, f"Globus Compute's executor accepts no tasks: {type(error).__name__}: {error}"
                )
                lost.__cause__ = error
            finally:
                sdk.resource_specification, sdk.user_endpoint_config = before
        # The SDK shuts its executor down when it cannot submit.
        self.set_bad_state_and_fail_all(lost)
        raise lost

    def _assign(self, resources: Mapping[str, Any] | None, settings: Mapping[str, Any] | None) -> None:
        key, value = "parsl_resource_specification", resources
        try:
            self.executor.resource_specification = resources
            key, value = "user_endpoint_config", settings
            self.executor.user_endpoint_config = settings
        except (TypeError, ValueError) as error:
            raise InvalidResourceSpecification({key}, f"{error}; it is {value!r}.") from error

    def _ended(self, task: EngineTask, future: Future[Any]) -> None:
        if future.cancelled():
            reason = "the SDK's executor was shut down before the task had ended"
            self.task_failed(task, EngineTaskError(self, reason))
        elif (error := future.exception()) is not None:
            self.task_failed(task, error)
        else:
            self.task_done(task, future.result())

    def explain(self, error: BaseException) -> BaseException:
        """Return the error for a task: what an endpoint reports as text becomes an error with its type."""
        text = getattr(error, "remote_data", None)
        if not isinstance(text, str):
            return super().explain(error)
        explained = self._explain_report(text)
        explained.__cause__ = error
        return explained

    def _explain_report(self, text: str) -> BaseException:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if found := _ENGINE_ERROR.findall(text):
            kind, reason = found[-1]
            if kind == "InvalidResourceSpecification":
                keys = re.findall(r"'([^']*)'", reason.partition("}")[0])
                return InvalidResourceSpecification(keys, f"The endpoint has refused it: {reason}")
            loss = ManagerLost if kind == "ManagerLost" else WorkerLost
            return loss(kind, "endpoint", f"On the endpoint: {reason}")
        reason = lines[-1] if lines else "no reason was given"
        if _NO_PARSL.search(text):
            return EngineMismatch(
                self,
                f"the endpoint's workers cannot run calls of this Parsl: {reason}. {HOW_TO_INSTALL}",
            )
        return EngineTaskError(self, f"the endpoint has failed the task: {reason}")

    def cancel_task(self, task: EngineTask) -> bool:
        """Return false: Globus Compute cannot cancel tasks.

        Cancelling the SDK's future would only disturb the SDK: it fails on the result that still comes.
        """
        return False

    def disconnect(self) -> None:
        """Shut the SDK's executor down, without waiting for tasks."""
        self.executor.shutdown(wait=False, cancel_futures=True)
        watchers = getattr(sys.modules.get("globus_compute_sdk.sdk.executor"), "_RESULT_WATCHERS", {})
        watcher = watchers.get(getattr(self.executor, "task_group_id", None))
        if watcher is None:
            return
        # Python would wait at its exit for results that may never come. The executors of a task group share
        # a watcher: one with results of others stays, and so does an idle one, which the next executor uses.
        ours, all_open = watcher.get_open_futures(self.executor), watcher.get_open_futures()
        if ours and len(ours) == len(all_open):
            watcher.shutdown(wait=True, cancel_futures=True)  # a second one would get results of this one
