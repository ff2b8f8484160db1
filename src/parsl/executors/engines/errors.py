"""Errors of executors whose tasks run in another engine.

::

    ExecutorError
    ├── EngineUnreachable      nothing answers at the engine's address, or it cannot be started
    ├── EngineMismatch         the engine, or one of its workers, runs versions that do not fit
    └── EngineTaskError        the engine has failed a task, for a reason that is not the task's own

    UserWarning
    └── WaitingTaskWarning     a task waits for a worker that can run it, and none of the known ones can
"""

from __future__ import annotations

from parsl.errors import OptionalModuleMissing
from parsl.executors.errors import ExecutorError
from parsl.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


#: Advice about workers without Parsl. The package index has upstream's Parsl under this name.
HOW_TO_INSTALL = (
    f"Install this Parsl there, too, version {VERSION}: pip install PATH, with the path of its clone or wheel"
)


class EngineUnreachable(ExecutorError):
    """Nothing answers at the engine's address, or the engine cannot be started."""


class EngineMismatch(ExecutorError):
    """The engine, or one of its workers, runs versions that do not fit those of the driver."""


class EngineTaskError(ExecutorError):
    """The engine has failed a task, for a reason that is not the task's own."""


class WaitingTaskWarning(UserWarning):
    """A task waits for a worker that can run it, and none of the known ones can."""


def waiting_text(executor: Any, connected: int, reason: str) -> str:
    """Return the text of a :class:`WaitingTaskWarning`.

    Args:
        executor: The executor, for its label and its engine.
        connected: How many workers are connected.
        reason: Why none of them can run the task.
    """
    return (
        f"Executor {executor.label}: a task waits for a worker of {executor.engine} that can run it. None of "
        f"the {connected} that are connected can: {reason}. Start one that has enough, or cancel the task. "
        "(This warning is shown once for each request.)"
    )


def import_engine(module: str, feature: str, remedy: str) -> ModuleType:
    """Import an engine's module when it is used for the first time.

    Args:
        module: The name of the module.
        feature: What needs it, such as ``"DaskExecutor"``.
        remedy: The command to type, such as ``"pip install 'parsl[dask]'"``.

    Raises:
        OptionalModuleMissing: It cannot be imported. The message has the reason and the remedy.
    """
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        reason = f"{feature} needs {module} ({error}). Install it: {remedy}"
        raise OptionalModuleMissing([module], reason) from error
