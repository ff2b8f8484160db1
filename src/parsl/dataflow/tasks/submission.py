"""Handing a task to its executor."""

from __future__ import annotations

from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future
    from typing import Any

    from parsl.dataflow.special_arguments import SpecialArguments
    from parsl.executors.base import ParslExecutor

#: The parameters of an executor's ``submit``: a task's argument of such a name cannot pass as a keyword.
_TAKEN_NAMES = frozenset({"self", "func", "resource_specification"})


def submit_to(
    executor: ParslExecutor,
    func: Callable[..., Any],
    special: SpecialArguments | None,
    args: Iterable[Any],
    kwargs: dict[str, Any],
) -> Future[Any]:
    """Submit a call, with what its special arguments ask for.

    Raises:
        Exception: What the executor has against it.
    """
    specification: dict[str, Any] = {}
    if special is not None:
        if special.staged_func is not None:
            func = special.staged_func
        specification.update(special.resource_specification)
        if special.walltime_s is not None:
            if getattr(executor, "enforces_walltime", False):
                specification["walltime_s"] = special.walltime_s
            elif not getattr(func, "enforces_walltime", False):
                func = _limited(func, special.walltime_s)
    if kwargs and not _TAKEN_NAMES.isdisjoint(kwargs):
        func, kwargs = partial(func, **kwargs), {}
    return executor.submit(func, specification, *args, **kwargs)


def _limited(func: Callable[..., Any], walltime_s: float) -> Callable[..., Any]:
    # By name: apps are a layer above the kernel.
    from importlib import import_module

    limited: Callable[..., Any] = import_module("parsl.app.python").timeout(func, walltime_s)
    return limited


def is_callers_mistake(error: BaseException) -> bool:
    """Whether an executor refuses a task for what the call asked of it; trying again is no use then."""
    from parsl.executors.errors import InvalidResourceSpecification

    return isinstance(error, InvalidResourceSpecification)
