"""The keyword arguments of an app call that are meant for the kernel."""

from __future__ import annotations

import os
from concurrent.futures import Future

from parsl import validate
from parsl.common.rundirs import make_directory
from parsl.vocabulary.files import File
from parsl.vocabulary.names import SPECIAL_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Protocol

    from parsl.dataflow.concurrency_limit import ConcurrencyLimit
    from parsl.vocabulary.data_future import DataFuture

    class Task(Protocol):
        """What this module needs of a task record."""

        id: int
        special: SpecialArguments | None

        @property
        def func_name(self) -> str:
            """The name of the app."""

        @property
        def label(self) -> str | None:
            """The label of the call."""


#: Given as stdout or stderr: the kernel chooses a path in the run directory.
AUTO_LOGNAME = -1

STREAMS = ("stdout", "stderr")
_TASKS_PER_DIRECTORY = 10_000


class SpecialArguments:
    """The special arguments of one call, checked.

    Attributes:
        outputs: The files that the task writes.
        walltime_s: The time limit of an attempt (seconds); None for no limit.
        label: A name for this call.
        resource_specification: What the call requires of the executor.
        streams: The ``stdout`` and ``stderr`` of the call, by name.
        chosen_streams: The names of the streams that the kernel has chosen, for ``AUTO_LOGNAME``.
        output_futures: A future for each of the outputs; the kernel makes them.
        staged_func: The task's function together with transfers, which the executor calls in its place.
        concurrency_limit: The limit of an app with ``max_concurrency``.
        shown_stdout, shown_stderr: What the task's future shows; set by the kernel.

    Args:
        func_name: The app, for error messages.
        kwargs: The keyword arguments of the call.

    Raises:
        ParameterError: An argument is wrong.
    """

    __slots__ = (
        "chosen_streams",
        "concurrency_limit",
        "label",
        "output_futures",
        "outputs",
        "resource_specification",
        "shown_stderr",
        "shown_stdout",
        "staged_func",
        "streams",
        "walltime_s",
    )

    def __init__(self, func_name: str, kwargs: dict[str, Any]) -> None:
        app = f"app {func_name}"
        _check_sequence(app, "inputs", kwargs.get("inputs"))
        self.outputs: Sequence[File] = _files(_check_sequence(app, "outputs", kwargs.get("outputs")))
        self.walltime_s = validate.number(app, "walltime", kwargs.get("walltime"), above=0, optional=True)
        self.label = validate.text(app, "label", kwargs.get("label"), optional=True)
        self.resource_specification = _resource_specification(app, kwargs)
        self.streams = {name: kwargs[name] for name in STREAMS if kwargs.get(name) is not None}
        for name, stream in self.streams.items():
            _check_stream(app, name, stream)
        self.chosen_streams: frozenset[str] = frozenset()
        self.output_futures: list[DataFuture] = []
        self.staged_func: Callable[..., Any] | None = None
        self.concurrency_limit: ConcurrencyLimit | None = None
        self.shown_stdout: Any = self.streams.get("stdout")
        self.shown_stderr: Any = self.streams.get("stderr")

    def set_stream(self, func_name: str, name: str, stream: Any) -> None:
        """Set ``stdout`` or ``stderr`` to the choice for ``AUTO_LOGNAME``.

        Raises:
            ParameterError: The choice is wrong.
        """
        _check_stream(f"app {func_name}", name, stream)
        self.streams[name] = stream
        self.chosen_streams |= {name}
        setattr(self, f"shown_{name}", stream)

    def files(self) -> list[File]:
        """Return the files among the outputs and the streams."""
        streams = (stream[0] if isinstance(stream, tuple) else stream for stream in self.streams.values())
        return [*self.outputs, *_files(list(streams))]


def special_of(record: Task) -> SpecialArguments:
    """Return the special arguments of a task; new ones without content if it has none."""
    if record.special is None:
        record.special = SpecialArguments(record.func_name, {})
    return record.special


def for_function(func: Callable[..., Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return ``kwargs`` without the special ones for which ``func`` has no parameter."""
    accepted = _keyword_names(func)
    if accepted is None:
        return kwargs
    return {name: kwargs[name] for name in kwargs if name in accepted or name not in SPECIAL_NAMES}


def _keyword_names(func: Callable[..., Any]) -> Sequence[str] | None:
    """Return the keywords that a Python function takes; None if it takes any, or if they are unknown."""
    code = getattr(func, "__code__", None)
    takes_any = 0x08  # inspect.CO_VARKEYWORDS, whose module is slow to import
    if code is None or code.co_flags & takes_any:
        return None
    names: Sequence[str] = code.co_varnames[
        code.co_posonlyargcount : code.co_argcount + code.co_kwonlyargcount
    ]
    return names


def make_autopath(run_dir: str, record: Task, stream: str) -> str:
    """Return the path for one stream of a task below the run directory, in a directory that exists.

    Other users cannot write to the directory, so they cannot place links there.

    Args:
        run_dir: The run directory.
        record: The task.
        stream: ``"stdout"`` or ``"stderr"``.
    """
    name = f"task_{record.id:04d}_{record.func_name}"
    if record.label is not None:
        name += f"_{record.label}"
    directory = os.path.join(run_dir, "task_logs", f"{record.id // _TASKS_PER_DIRECTORY:04d}")
    try:
        make_directory(directory)
    except OSError:
        pass  # the task fails with a better error
    return os.path.join(directory, f"{name.replace(os.sep, '_')}.{stream}")


def _check_sequence(app: str, name: str, value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)):
        validate.wrong_type(app, name, value, "a list")
    items: Sequence[Any] = value
    return items


def _files(items: Sequence[Any]) -> list[File]:
    return [item for item in items if isinstance(item, File)]


def _resource_specification(app: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    specification = kwargs.get("parsl_resource_specification")
    if specification is None:
        return {}
    checked: dict[str, Any] = validate.instance(app, "parsl_resource_specification", specification, dict)
    return checked


def _check_stream(app: str, name: str, stream: object) -> None:
    path = stream
    expected = "a path, a pair (path, mode), a File or AUTO_LOGNAME"
    if isinstance(stream, tuple):
        if len(stream) != 2 or not isinstance(stream[1], str):
            validate.wrong_type(app, name, stream, expected)
        path = stream[0]
    elif stream == AUTO_LOGNAME and type(stream) is int:
        return
    if not isinstance(path, (str, os.PathLike, Future)):
        validate.wrong_type(app, name, stream, expected)
