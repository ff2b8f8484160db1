"""Spellings of older versions: they still work, with a warning that contains the present spelling."""

from __future__ import annotations

import os
from functools import wraps

from parsl.common.parameter_names import (
    Retired,
    parameter_names,
    refuse_unknown,
    renamed,
    replace_retired,
    warn_retired,
)
from parsl.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ParamSpec

    from parsl.dataflow.memoizer import Memoizer

    P = ParamSpec("P")

#: The arguments of Config that belong to a memoizer now, and their present names.
_MEMOIZER_ARGUMENTS = {
    "app_cache": "memoize",
    "checkpoint_files": "checkpoint_files",
    "checkpoint_mode": "checkpoint_mode",
    "checkpoint_period": "checkpoint_period",
}
#: Other arguments of Config.
_RETIRED = {
    "data_management_max_threads": renamed("internal_tasks_max_threads"),
    "lazy_errors": Retired("leave it out; the error of a task is raised by its future's result()"),
}
#: The number of frames from :func:`warn_retired` to the call of Config, and of ``dfk.checkpoint()``.
_STACK_LEVEL = 4


def takes_older_arguments(init: Callable[P, None]) -> Callable[P, None]:
    """Make Config's ``__init__`` accept the arguments of older versions, without showing them.

    Unknown names are refused with a suggestion.
    """
    names = parameter_names(init)

    @wraps(init)
    def taking(*args: P.args, **kwargs: P.kwargs) -> None:
        if not names.issuperset(kwargs):
            owner = type(args[0]).__name__
            replace_retired(owner, _RETIRED, kwargs)
            if not names | _MEMOIZER_ARGUMENTS.keys() >= kwargs.keys():
                refuse_unknown(owner, kwargs, names | _MEMOIZER_ARGUMENTS.keys())
            if not _MEMOIZER_ARGUMENTS.keys().isdisjoint(kwargs):
                _make_memoizer(kwargs)
        init(*args, **kwargs)

    return taking


def _make_memoizer(arguments: dict[str, Any]) -> None:
    """Replace the arguments that describe a memoizer by the memoizer."""
    older = {name: arguments.pop(name) for name in _MEMOIZER_ARGUMENTS if name in arguments}
    if arguments.get("memoizer") is not None:
        raise ConfigurationError(
            f"Config: memoizer is given together with {', '.join(older)}, which belong to the memoizer. "
            f"Write BasicMemoizer({_shown(older)})"
        )
    for name in older:
        advice = (
            f"write Config(memoizer=BasicMemoizer({_shown({name: older[name]})})), with BasicMemoizer from "
            "parsl.dataflow.memoization"
        )
        warn_retired(f"Config: {name}", advice, _STACK_LEVEL)
    from parsl.dataflow.memoization import BasicMemoizer

    arguments["memoizer"] = BasicMemoizer(
        **{_MEMOIZER_ARGUMENTS[name]: value for name, value in older.items()}
    )


def _shown(older: dict[str, Any]) -> str:
    return ", ".join(f"{_MEMOIZER_ARGUMENTS[name]}={value!r}" for name, value in older.items())


def checkpoint(memoizer: Memoizer, run_dir: str) -> str:
    """Write a checkpoint; see :meth:`parsl.dataflow.dflow.DataFlowKernel.checkpoint`."""
    warn_retired(
        "dfk.checkpoint()",
        "write memoizer.checkpoint(), where memoizer is the BasicMemoizer of Config(memoizer=...)",
        _STACK_LEVEL,
    )
    write = getattr(memoizer, "checkpoint", None)
    if write is None:
        raise AttributeError(f"{memoizer!r} writes no checkpoints: it has no method checkpoint()")
    write()
    return os.path.join(run_dir, "checkpoint")
