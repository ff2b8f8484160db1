"""What Ray's errors mean, with exceptions of the names that Ray uses."""

from __future__ import annotations

from types import ModuleType

import pytest

from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost
from parsl.executors.ray.failures import translate


class WorkerCrashedError(Exception):
    """The worker has ended."""


class NodeDiedError(Exception):
    """The node has ended."""


class RayTaskError(Exception):
    """A remote function has raised an exception."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__("traceback")
        self.cause = cause


EXCEPTIONS = ModuleType("exceptions")
vars(EXCEPTIONS).update(WorkerCrashedError=WorkerCrashedError, NodeDiedError=NodeDiedError)


@pytest.mark.parametrize(
    ("error", "kind"), [(WorkerCrashedError("killed"), WorkerLost), (NodeDiedError("gone"), ManagerLost)]
)
def test_losses_have_the_types_of_parsl(error: Exception, kind: type[Exception]) -> None:
    translated = translate(error, EXCEPTIONS)
    assert type(translated) is kind
    assert str(error) in str(translated)
    assert translated.__cause__ is error


def test_an_error_of_a_remote_function_is_unwrapped() -> None:
    cause = OSError("the disk is full")
    assert translate(RayTaskError(cause), EXCEPTIONS) is cause


def test_a_worker_without_parsl_is_recognised() -> None:
    cause = RuntimeError(
        "The remote function failed to import on the worker. ... No module named 'parsl.executors'"
    )
    translated = translate(RayTaskError(cause), EXCEPTIONS)
    assert isinstance(translated, ModuleNotFoundError)
    assert translated.name == "parsl"


def test_other_errors_stay() -> None:
    error = ValueError("x")
    assert translate(error, EXCEPTIONS) is error
