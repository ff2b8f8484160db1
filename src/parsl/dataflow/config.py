"""The configuration of a kernel."""

from __future__ import annotations

import os

from parsl import validate
from parsl.common.representation import RepresentationMixin, UsageInformation
from parsl.dataflow.older_spellings import takes_older_arguments
from parsl.errors import ConfigurationError
from parsl.vocabulary import INTERNAL_LABEL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Literal

    from parsl.dataflow.dependency_resolvers import DependencyResolver
    from parsl.dataflow.executor_selection import ExecutorSelector
    from parsl.dataflow.memoizer import Memoizer
    from parsl.dataflow.taskrecord import TaskRecord
    from parsl.executors.base import ParslExecutor
    from parsl.logconfigs.base import LogConfig
    from parsl.monitoring.monitoring import MonitoringHub


def _check_executors(config: Config, executors: object) -> tuple[ParslExecutor, ...]:
    from parsl.executors.base import ParslExecutor

    if executors is None:
        from parsl.executors.threads import ThreadPoolExecutor

        return (ThreadPoolExecutor(),)
    if isinstance(executors, ParslExecutor):
        validate.wrong_type(config, "executors", executors, "a list: put it in brackets, executors=[...]")
    checked: list[ParslExecutor] = validate.list_of(config, "executors", executors, ParslExecutor)
    check_labels("Config", checked)
    return tuple(checked)


def check_labels(owner: str, executors: Iterable[ParslExecutor], loaded: Iterable[str] = ()) -> None:
    """Refuse executors whose labels are not unique, or are among those of loaded executors."""
    taken = {INTERNAL_LABEL: "Parsl itself", **dict.fromkeys(loaded, "a loaded executor")}
    for executor in executors:
        if executor.label in taken:
            raise validate.ParameterValueError(
                f"{owner}: executors must have unique labels: {executor.label!r} is already the label of "
                f"{taken[executor.label]}. Give this {type(executor).__name__} another label"
            )
        taken[executor.label] = f"another {type(executor).__name__}"


def _check_plugin(owner: object, name: str, value: object, *, module: str, kind: str) -> Any:
    if value is None:
        return None
    from importlib import import_module

    return validate.instance(owner, name, value, getattr(import_module(module), kind))


def _check_run_dir(owner: object, name: str, value: object) -> str:
    return validate.text(
        owner, name, os.fspath(value) if isinstance(value, os.PathLike) else value, allow_empty=False
    )


def _check_usage_tracking(owner: object, name: str, value: object) -> int:
    if isinstance(value, bool):  # an older spelling of 0 and 1
        return int(value)
    return validate.integer(owner, name, value, low=0, high=3)


def _check_logging(owner: object, name: str, value: object) -> Any:
    if isinstance(value, bool):
        return value
    from parsl.logconfigs.base import LogConfig

    return validate.instance(owner, name, value, LogConfig, expected="True, False or a LogConfig")


class Config(RepresentationMixin, UsageInformation):
    """The configuration of a kernel.

    Args:
        executors: The executors that run tasks, with different labels; None for one ThreadPoolExecutor.
        memoizer: Stores the results of apps with ``cache=True``, such as a
            :class:`~parsl.dataflow.memoization.BasicMemoizer`; None for one that stores them within the run.
        dependency_resolver: Finds the futures in arguments; None for the shallow resolver.
        exit_mode: The effect of leaving a ``with parsl.load(config)`` block: ``'cleanup'`` shuts everything
            down without waiting for tasks; ``'wait'`` waits for them first, unless an exception ended
            the block; ``'skip'`` does nothing.
        garbage_collect: Whether to forget tasks once they are done.
        internal_tasks_max_threads: The largest number of join apps that run at the same time.
        retries: The total cost of failed attempts up to which a task is retried.
        retry_handler: Called with the exception and the task's record after a failed attempt; returns
            the attempt's cost. None: each attempt costs 1.
        run_dir: The directory in which each run gets a directory of its own.
        std_autopath: Called with a task's record and ``'stdout'`` or ``'stderr'`` to choose the path
            for ``AUTO_LOGNAME``; None for a path in the run directory.
        strategy: How blocks are scaled: ``'simple'``, ``'htex_auto_scale'``, ``'none'`` or None.
        strategy_period: The time between scaling decisions, in seconds.
        max_idletime: How long a block may be idle before it may be cancelled, in seconds.
        monitoring: A :class:`~parsl.monitoring.monitoring.MonitoringHub`, which records the run in a
            database; None for no database.
        usage_tracking: The level of usage tracking, from 0 (none) to 3 (see
            :mod:`parsl.usage_tracking.levels`). The data is written to the run directory, and sent only if
            the environment variable ``PARSL_USAGE_TRACKING_ADDRESS`` contains an address.
        project_name: A name for usage tracking.
        initialize_logging: Whether to write ``parsl.log`` to the run directory; or a ``LogConfig``.
        executor_selector: Called with the record of each task whose app allows several executors, and with a
            :class:`~parsl.dataflow.executor_selection.Candidate` for each of them, to return the label of
            one, such as :func:`~parsl.dataflow.executor_selection.least_loaded`; None for a random choice.
        event_log: Whether to write ``events.parsl`` to the run directory, which ``parsl top``, the dashboard
            and other commands read. Without ``initialize_logging`` there is none, except with ``monitoring``.

    Raises:
        ConfigurationError: A parameter is wrong; the message names it and what is allowed.
    """

    __module__ = "parsl.config"  # the public path, which usage tracking reports

    memoizer: Memoizer | None = validate.Custom(
        _check_plugin, module="parsl.dataflow.memoizer", kind="Memoizer"
    )
    dependency_resolver: DependencyResolver | None = validate.Custom(
        _check_plugin, module="parsl.dataflow.dependency_resolvers", kind="DependencyResolver"
    )
    exit_mode = validate.Choice(("cleanup", "skip", "wait"))
    garbage_collect = validate.Boolean()
    internal_tasks_max_threads = validate.Integer(low=1)
    retries = validate.Integer(low=0)
    retry_handler: Callable[[Exception, TaskRecord], float] | None = validate.Function(optional=True)
    run_dir = validate.Custom(_check_run_dir)
    std_autopath: Callable[..., Any] | None = validate.Function(optional=True)
    strategy = validate.Choice(("simple", "htex_auto_scale", "none", None))
    strategy_period = validate.Number(above=0)
    max_idletime = validate.Number(low=0, finite=False)
    monitoring: MonitoringHub | None = validate.Custom(
        _check_plugin, module="parsl.monitoring.monitoring", kind="MonitoringHub"
    )
    usage_tracking = validate.Custom(_check_usage_tracking)
    project_name = validate.Text(optional=True)
    initialize_logging: bool | LogConfig = validate.Custom(_check_logging)
    executor_selector: ExecutorSelector | None = validate.Function(optional=True)
    event_log = validate.Boolean()

    @takes_older_arguments
    def __init__(
        self,
        executors: Iterable[ParslExecutor] | None = None,
        memoizer: Memoizer | None = None,
        dependency_resolver: DependencyResolver | None = None,
        exit_mode: Literal["cleanup", "skip", "wait"] = "cleanup",
        garbage_collect: bool = True,
        internal_tasks_max_threads: int = 10,
        retries: int = 0,
        retry_handler: Callable[[Exception, TaskRecord], float] | None = None,
        run_dir: str = "runinfo",
        std_autopath: Callable[..., Any] | None = None,
        strategy: str | None = "simple",
        strategy_period: float = 5,
        max_idletime: float = 120.0,
        monitoring: MonitoringHub | None = None,
        usage_tracking: int = 0,
        project_name: str | None = None,
        initialize_logging: bool | LogConfig = True,
        *,
        executor_selector: ExecutorSelector | None = None,
        event_log: bool = True,
    ) -> None:
        self._executors = _check_executors(self, executors)
        validate.assign(self, locals())
        if monitoring is not None and not event_log:
            raise ConfigurationError(
                "Config: monitoring is given together with event_log=False, but the database is made from "
                "the event log. Leave event_log out"
            )

    @property
    def executors(self) -> tuple[ParslExecutor, ...]:
        """The executors that run tasks."""
        return self._executors

    def get_usage_information(self) -> dict[str, Any]:
        """Return what usage tracking reports about the configuration from level 2 on."""
        return {
            "executors_len": len(self.executors),
            "dependency_resolver": self.dependency_resolver is not None,
        }

    def validate_usage_tracking(self, level: int) -> None:
        """Check a level of usage tracking.

        Raises:
            ConfigurationError: The level is not from 0 to 3.
        """
        _check_usage_tracking(self, "usage_tracking", level)
