"""The base of executors whose tasks run in another engine."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from concurrent.futures import InvalidStateError
from contextlib import suppress
from itertools import count
from typing import Any, ClassVar

from parsl.executors.engines.errors import HOW_TO_INSTALL, EngineMismatch, EngineTaskError
from parsl.executors.engines.remote_call import CallPacker, Outcome, read_outcome
from parsl.executors.engines.requests import Node, Request, read_request, unsatisfiable
from parsl.executors.errors import ExecutorError, InvalidResourceSpecification
from parsl.executors.status_handling import BlockErrorHandler, BlockProviderExecutor
from parsl.providers.base import ExecutionProvider
from parsl.vocabulary.lean_future import LeanFuture
from parsl.vocabulary.run_observer import pack_usage

#: How long a shutdown waits for a submission in progress, to cancel its job, in seconds.
SUBMISSION_PATIENCE_S = 30.0


class EngineTask(LeanFuture[Any]):
    """One task in an engine, which is also the future of its result.

    The executor ends it once, with :meth:`finish` or :meth:`fail`. A second end, such as the outcome of a
    task that was cancelled meanwhile, is ignored.
    """

    __slots__ = (
        "_executor",
        "_held_error",
        "_is_cancelling",
        "attempt_usage",
        "handle",
        "parsl_executor_task_id",
    )

    def __init__(self, executor: EngineExecutor, number: int) -> None:
        super().__init__()
        self._executor = executor
        #: Whether the engine is ending the task, or has ended it, because of :meth:`cancel`.
        self._is_cancelling = False
        #: How the task has failed while it was being cancelled.
        self._held_error: BaseException | None = None
        #: The number of the task, unique within the executor's run.
        self.parsl_executor_task_id = number
        #: What the subclass needs to cancel the task in the engine; None before the task is there.
        self.handle: Any = None
        #: What the attempt has used, made by `pack_usage` before the future is done; empty if not known.
        self.attempt_usage = b""

    def cancel(self) -> bool:
        """Cancel the task in the engine.

        Returns:
            Whether the task is cancelled: not if it has ended, or if the engine cannot end it.
        """
        if self.done():
            return self.cancelled()
        self._is_cancelling = True
        is_cancelled = False
        try:
            is_cancelled = self._executor.cancel_task(self)
        finally:
            with suppress(InvalidStateError):  # the task has ended meanwhile
                if is_cancelled:
                    self.set_cancelled()
                else:
                    self._is_cancelling = False
                    if self._held_error is not None:
                        self.set_exception(self._held_error)
        return self.cancelled()

    def finish(self, outcome: Outcome) -> None:
        """End the task with what the call has returned or raised."""
        if outcome.accounting is not None:
            self.attempt_usage = pack_usage(*outcome.accounting)
        if outcome.error is not None:
            self.fail(outcome.error)
            return
        with suppress(InvalidStateError):
            self.set_result(outcome.value)

    def fail(self, error: BaseException) -> None:
        """End the task with an error, unless it is being cancelled.

        An engine may end the worker of a task to cancel it, or interrupt the call, and report that before its
        answer arrives: then :meth:`cancel` ends the task.
        """
        if self._is_cancelling:
            self._held_error = error
            if self._is_cancelling:  # still: cancel() finds the error
                return
        with suppress(InvalidStateError):
            self.set_exception(error)


class EngineExecutor(BlockProviderExecutor):
    """An executor whose tasks run in another engine. Extend it to connect one more.

    A subclass overrides :meth:`connect`, :meth:`start_task`, :meth:`cancel_task`, :meth:`disconnect`, and
    :meth:`nodes` if the engine knows its nodes. It ends each task with :meth:`task_done` or
    :meth:`task_failed`, and calls ``set_bad_state_and_fail_all`` when the engine is lost for good. Retries
    are the kernel's: a subclass switches the engine's own off.

    If the executor has a provider, its blocks run the engine's workers: the subclass defines
    :meth:`launch_command` and ``workers_per_node``.

    Args:
        provider: Where the engine's workers come from; None if they exist already.
        block_error_handler: As for :class:`BlockProviderExecutor`.
    """

    #: The engine, for messages.
    engine: ClassVar[str] = "engine"
    #: The keys of a resource specification that the engine understands, see ``requests.UNITS``.
    request_keys: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        *,
        provider: ExecutionProvider | None = None,
        block_error_handler: bool | BlockErrorHandler = True,
    ) -> None:
        super().__init__(provider=provider, block_error_handler=block_error_handler)
        self._forget_tasks()

    def _forget_tasks(self) -> None:
        self._packer = CallPacker()
        self._numbers = count(1)
        self._is_open = False
        self._has_ended = False

    def prepare_restart(self) -> None:
        """Forget the run that has ended."""
        if self._is_open:
            self._refuse_restart()
        super().prepare_restart()
        self._forget_tasks()

    def start(self) -> None:
        """Connect to the engine.

        Raises:
            EngineUnreachable: Nothing answers, or the engine cannot be started.
            EngineMismatch: The engine's versions do not fit.
            OptionalModuleMissing: The engine's package is not installed.
        """
        self.connect()
        self._is_open = True
        if self.provider is not None:
            self.blocks.open()

    def submit(
        self,
        func: Callable[..., Any],
        resource_specification: dict[str, Any] | None,
        *args: Any,
        **kwargs: Any,
    ) -> EngineTask:
        """Hand a task to the engine.

        Raises:
            InvalidResourceSpecification: The specification is wrong, or no node of the engine can satisfy it.
            SerializationError: A part of the call cannot be pickled.
            BadStateException: The engine is lost.
            ExecutorError: The executor was not started.
            RuntimeError: The executor was shut down.
        """
        self._raise_if_unusable()
        request = self.read_request(resource_specification)
        task = EngineTask(self, next(self._numbers))
        call = self.pack_call(func, args, kwargs)
        self._tasks[task.parsl_executor_task_id] = task
        task.add_done_callback(self._forget)
        try:
            self.start_task(task, call, request)
        except BaseException as error:
            self._tasks.pop(task.parsl_executor_task_id, None)
            if self._has_ended:
                raise self._after_shutdown() from error
            raise
        if self._has_ended and not self._is_open:
            task.fail(self._after_shutdown())  # the end of all tasks may have come before this one
        if self._bad_because is not None:
            self.set_bad_state_and_fail_all(self._bad_because)  # lost meanwhile, perhaps without this task
        if self._provider is not None:
            self.blocks.tasks_added(self.outstanding())
        return task

    def _raise_if_unusable(self) -> None:
        self.raise_if_bad()
        if self._has_ended:
            raise self._after_shutdown()
        if not self._is_open:
            raise ExecutorError(self, "it was not started; parsl.load() or its start() starts it")

    def _after_shutdown(self) -> RuntimeError:
        return RuntimeError(f"Executor {self.label!r} was shut down and accepts no more tasks")

    def _forget(self, task: Any) -> None:
        self._tasks.pop(task.parsl_executor_task_id, None)

    def read_request(self, specification: dict[str, Any] | None) -> Request:
        """Check what a task requests, and that a node of the engine can satisfy it.

        Raises:
            InvalidResourceSpecification: The specification is wrong, or cannot be satisfied.
        """
        request = read_request(specification, self.request_keys, type(self).__name__)
        if specification:
            self.check_capacity(request, specification)
        return request

    def check_capacity(self, request: Request, specification: dict[str, Any]) -> None:
        """Refuse a request that no node of the engine can ever satisfy.

        Raises:
            InvalidResourceSpecification: No node can.
        """
        if reason := unsatisfiable(request, self.nodes()):
            requested = {key for key, value in specification.items() if value and key != "priority"}
            raise InvalidResourceSpecification(
                requested, f"No node of {self.engine} can run the task: {reason}. It would wait for ever."
            )

    def pack_call(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return a call in the form that :meth:`start_task` expects: bytes for ``remote_call.run_call``."""
        return self._packer.pack(func, args, kwargs)

    @abstractmethod
    def connect(self) -> None:
        """Connect to the engine, or start it. See :meth:`start` for what it raises."""

    @abstractmethod
    def start_task(self, task: EngineTask, call: Any, request: Request) -> None:
        """Hand a call to the engine without waiting, and arrange that the task ends with the call.

        Args:
            task: The task. The subclass may keep in ``task.handle`` what it needs to cancel it.
            call: What :meth:`pack_call` has returned.
            request: What the task requests.
        """

    @abstractmethod
    def cancel_task(self, task: EngineTask) -> bool:
        """Cancel a task that has not ended, without waiting. Return whether the engine does that."""

    @abstractmethod
    def disconnect(self) -> None:
        """Disconnect from the engine, and stop what :meth:`connect` has started. May be called again."""

    def nodes(self) -> Iterable[Node]:
        """Return what the engine has for tasks; nothing while that is unknown, or when more may come."""
        return ()

    @property
    def workers_per_node(self) -> int | float | None:
        """How many tasks a node runs at once; None while that is unknown."""
        return None

    def task_done(self, task: EngineTask, packed: bytes) -> None:
        """End a task with what ``remote_call.run_call`` has returned. Any thread may call this."""
        task.finish(read_outcome(packed))

    def task_failed(self, task: EngineTask, error: BaseException) -> None:
        """End a task with an error of the engine. Any thread may call this."""
        task.fail(self.explain(error))

    def explain(self, error: BaseException) -> BaseException:
        """Return the error for a task that the engine has failed with ``error``.

        Errors of Parsl stay. A subclass extends this with what the engine's own errors mean: WorkerLost for
        a worker that ended, ManagerLost for a node or a scheduler.
        """
        if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == "parsl":
            return EngineMismatch(
                self,
                f"a worker of {self.engine} cannot import {error.name}. {HOW_TO_INSTALL}",
            )
        if isinstance(error, ExecutorError) or type(error).__module__.startswith("parsl."):
            return error
        failure = EngineTaskError(
            self, f"{self.engine} has failed the task with {type(error).__name__}: {error}"
        )
        failure.__cause__ = error
        return failure

    def shutdown(self) -> None:
        """Cancel what has not ended, disconnect from the engine, and release its blocks."""
        if self._has_ended:
            return
        self._has_ended = True
        if self.provider is not None:
            self.blocks.cancel_queued()
            self.blocks.wait_for_submissions(SUBMISSION_PATIENCE_S)
        for task in list(self._tasks.values()):
            task.cancel()
        try:
            if self._is_open:
                self.disconnect()
        finally:
            self._is_open = False
            self.fail_outstanding(ExecutorError(self, "it was shut down before the task had ended"))
            if self.provider is not None:
                self.blocks.cancel_all()
