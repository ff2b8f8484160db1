"""What Ray's errors mean: a function from its exceptions to those of Parsl."""

from __future__ import annotations

from types import ModuleType

from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost

_WORKER_ENDED = ("WorkerCrashedError", "OutOfMemoryError")
_NODE_LOST = ("NodeDiedError", "LocalRayletDiedError", "ObjectLostError", "RaySystemError", "RpcError")
#: Part of Ray's message when a worker cannot import the function that runs tasks.
_NO_PARSL = "No module named 'parsl"


def translate(error: BaseException, exceptions: ModuleType) -> BaseException:
    """Return the error of Parsl for an error of Ray; the same error, or its cause, if there is none.

    Args:
        error: What Ray has failed a task with.
        exceptions: The module ``ray.exceptions``.
    """
    if _is_one_of(error, exceptions, _WORKER_ENDED):
        return _because(WorkerLost("of Ray", "", f"Ray has lost the worker of the task. {error}"), error)
    if _is_one_of(error, exceptions, _NODE_LOST):
        return _because(ManagerLost("of Ray", "", f"Ray has lost the node of the task. {error}"), error)
    cause = getattr(error, "cause", None)
    if isinstance(cause, BaseException):
        error = cause
    if _NO_PARSL in str(error):
        return _because(ModuleNotFoundError(str(error), name="parsl"), error)
    return error


def _is_one_of(error: BaseException, exceptions: ModuleType, names: tuple[str, ...]) -> bool:
    kinds = tuple(getattr(exceptions, name) for name in names if hasattr(exceptions, name))
    return isinstance(error, kinds)


def _because(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error
