"""The interface between the kernel and executors."""

from __future__ import annotations

import os
from abc import ABCMeta, abstractmethod

from parsl import validate
from parsl.common import pass_on_upstream_names
from parsl.vocabulary.run_observer import NO_OBSERVER, RunObserver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Any, Literal, TypeVar

    SelfT = TypeVar("SelfT", bound="ParslExecutor")


class ParslExecutor(metaclass=ABCMeta):
    """Runs tasks. This is the class to extend to connect another execution system.

    The kernel sets ``run_dir``, ``run_id`` and the monitoring attributes, calls :meth:`start`, then
    :meth:`submit` from any thread for each task that is ready, and :meth:`shutdown` at the end. If the same
    object is loaded again after that, :meth:`prepare_restart` comes before its next :meth:`start`. A subclass
    gives its instances a ``label``, unique among the executors of a kernel, and may have the attributes
    ``storage_access`` (a list of staging providers) and ``working_dir`` (where files are staged to).

    Args:
        monitoring_messages: Where monitoring messages are sent to; None without monitoring.
        run_dir: The directory of the run.
        run_id: The identifier of the run; None before the kernel has set it.
    """

    #: The name by which apps choose the executor.
    label: str = "undefined"

    #: Whether ``submit`` accepts ``walltime_s`` (seconds) in the resource specification and ends the task
    #: itself when that time is over. For any other executor the kernel wraps the function of a task that
    #: has a walltime.
    enforces_walltime: bool = False

    #: What to notify of managers, blocks and long tasks. The kernel assigns its own before :meth:`start`.
    observer: RunObserver = NO_OBSERVER

    #: How often to measure what running tasks use, for the observer, in seconds; None for never. The kernel
    #: may assign another value before :meth:`start`. Executors that cannot measure single tasks ignore it.
    resource_interval_s: float | None = None

    #: What the kernel submits in place of a task's function: called with it, the number of the task and that
    #: of the attempt. None for the function itself. MonitoringHub assigns it for a radio of another package.
    wrap_function: Callable[[Callable[..., Any], int, int], Callable[..., Any]] | None = None

    def __init__(
        self, *, monitoring_messages: Any | None = None, run_dir: str = ".", run_id: str | None = None
    ) -> None:
        self.monitoring_messages = monitoring_messages
        self.remote_monitoring_radio: Any | None = None
        self.monitoring_receiver: Any | None = None
        self.log_config: Any | None = None
        self.run_dir = run_dir
        self.run_id = run_id

    @property
    def run_dir(self) -> str:
        """The directory of the run, as an absolute path."""
        return self._run_dir

    @run_dir.setter
    def run_dir(self, value: str) -> None:
        if not isinstance(value, (str, os.PathLike)):
            validate.wrong_type(self, "run_dir", value, "a path")
        self._run_dir = os.path.abspath(value)

    def start(self) -> None:
        """Prepare for tasks; called once for each run, before any other method.

        Raises:
            Exception: The executor cannot start. ``parsl.load`` fails with this error, and shuts the other
                executors down.
        """
        return

    def prepare_restart(self) -> None:  # noqa: B027 - most executors have nothing to forget
        """Forget the run that has ended; called before :meth:`start` when an executor is loaded again.

        Raises:
            ConfigurationError: The executor cannot be started again, or its run has not ended. The message
                names the executor.
        """

    @abstractmethod
    def submit(
        self, func: Callable[..., Any], resource_specification: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Future[Any]:
        """Start a task, or queue it. Must not block; called from any thread.

        Args:
            func: The function to call.
            resource_specification: What the task requests, in the executor's own terms; may be empty. For an
                executor that enforces walltimes it may have ``walltime_s``, in seconds.
            args: The positional arguments; futures have been replaced by their results.
            kwargs: The keyword arguments, likewise.

        Returns:
            A future of the result or of the exception that ``func`` raises. Its ``cancel()`` cancels the
            task: a queued one at once, a running one if the executor can end it. It may have an attribute
            ``attempt_usage``, made by :data:`~parsl.vocabulary.run_observer.pack_usage` before the future is
            done.

        Raises:
            InvalidResourceSpecification: The specification is wrong.
        """

    @abstractmethod
    def shutdown(self) -> None:
        """Stop, and release all resources: threads, processes, blocks. May be called again.

        Every future that :meth:`submit` has returned is done afterwards, or will be.
        """

    def shutdown_within(self, limit_s: float) -> None:
        """Stop because the script ends on an error: as :meth:`shutdown`, but without a long wait for tasks.

        An executor whose :meth:`shutdown` does not wait for tasks need not override this.

        Args:
            limit_s: How long tasks may continue, in seconds.
        """
        self.shutdown()

    def current_slots(self) -> int | None:
        """Return how many tasks can run at once at this moment, without waiting; None if that is unknown.

        The function ``executor_selector`` of a configuration may use it to choose among executors.
        """
        return None

    def monitor_resources(self) -> bool:
        """Return whether the resources of single tasks can be measured: each runs in a process of its own."""
        return True

    def __enter__(self: SelfT) -> SelfT:
        return self

    def __exit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> Literal[False]:
        self.shutdown()
        return False


def check_storage_access(owner: object, name: str, value: object) -> list[Any] | None:
    """Return the staging providers; None for the default ones. Raises ParameterError for other objects."""
    providers: list[Any] | None = validate.list_of(
        owner, name, value, object, optional=True, check=_check_staging
    )
    return providers


def _check_staging(owner: object, name: str, item: object) -> object:
    if isinstance(item, type) or not callable(getattr(item, "can_stage_in", None)):
        validate.wrong_type(owner, name, item, "a staging provider, such as NoOpFileStaging()")
    return item


def check_radio(owner: object, name: str, value: Any) -> Any:
    """Return a monitoring radio, or None. Raises ParameterError for other objects."""
    is_radio = callable(getattr(value, "create_sender", None)) and not isinstance(value, type)
    if value is not None and not is_radio:
        expected = "None, or a radio such as HTEXRadio() of parsl.monitoring.radios.htex"
        validate.wrong_type(owner, name, value, expected)
    return value


pass_on_upstream_names(__name__)
