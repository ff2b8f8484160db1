"""The keyword arguments of an app call that are meant for the kernel."""

from __future__ import annotations

import os
from concurrent.futures import Future

from parsl import validate
from parsl.common.rundirs import make_directory
from parsl.vocabulary.files import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from parsl.dataflow.work_loop import ConcurrencyLimit
    from parsl.vocabulary.data_future import DataFuture

#: Given as stdout or stderr: the kernel chooses a path in the run directory.
AUTO_LOGNAME = -1

STREAMS = ("stdout", "stderr")
_TASKS_PER_DIRECTORY = 10_000


class SpecialArguments:
    """The special arguments of one call, checked; a wrong one raises ParameterError.

    The kernel sets what it adds to them: streams for ``AUTO_LOGNAME``, futures of outputs, the function with
    transfers, and what the task's future shows.
    """

    __slots__ = (
        "chosen_streams", "concurrency_limit", "label", "output_futures", "outputs", "resource_specification",
        "shown_stderr", "shown_stdout", "staged_func", "streams", "walltime_s",
    )  # fmt: skip

    def __init__(self, func_name: str, kwargs: dict[str, Any]) -> None:
        app = f"app {func_name}"
        _check_sequence(app, "inputs", kwargs.get("inputs"))
        self.outputs: Sequence[File] = _files(_check_sequence(app, "outputs", kwargs.get("outputs")))
        self.walltime_s = validate.number(app, "walltime", kwargs.get("walltime"), above=0, optional=True)
        self.label = validate.text(app, "label", kwargs.get("label"), optional=True)
        self.resource_specification: dict[str, Any] = {}
        if (specification := kwargs.get("parsl_resource_specification")) is not None:
            self.resource_specification = validate.instance(
                app, "parsl_resource_specification", specification, dict
            )
        self.streams = {name: kwargs[name] for name in STREAMS if kwargs.get(name) is not None}
        for name, stream in self.streams.items():
            _check_stream(app, name, stream)
        #: The names of the streams that the kernel has chosen, for ``AUTO_LOGNAME``.
        self.chosen_streams: frozenset[str] = frozenset()
        self.output_futures: list[DataFuture] = []
        #: The task's function together with transfers, which the executor calls in its place.
        self.staged_func: Callable[..., Any] | None = None
        self.concurrency_limit: ConcurrencyLimit | None = None
        self.shown_stdout: Any = self.streams.get("stdout")
        self.shown_stderr: Any = self.streams.get("stderr")

    def choose_streams(self, func_name: str, kwargs: dict[str, Any], choose: Callable[[str], Any]) -> None:
        """Replace ``AUTO_LOGNAME``, here and in the arguments, by the choice for a stream's name."""
        for name, given in self.streams.items():
            if given != AUTO_LOGNAME:
                continue
            stream = choose(name)
            _check_stream(f"app {func_name}", name, stream)
            self.streams[name] = kwargs[name] = stream
            self.chosen_streams |= {name}
            setattr(self, f"shown_{name}", stream)

    def files(self) -> list[File]:
        streams = (stream[0] if isinstance(stream, tuple) else stream for stream in self.streams.values())
        return [*self.outputs, *_files(list(streams))]


def make_autopath(run_dir: str, task_id: int, func_name: str, label: str | None, stream: str) -> str:
    """Return the path for one stream of a task below the run directory, in a directory that exists.

    Other users cannot write to the directory, so they cannot place links there.
    """
    name = f"task_{task_id:04d}_{func_name}"
    if label is not None:
        name += f"_{label}"
    directory = os.path.join(run_dir, "task_logs", f"{task_id // _TASKS_PER_DIRECTORY:04d}")
    try:
        make_directory(directory)
    except OSError:
        pass  # the task fails with a better error
    return os.path.join(directory, f"{name.replace(os.sep, '_')}.{stream}")


def _check_sequence(app: str, name: str, value: Any) -> Sequence[Any]:
    if value is not None and not isinstance(value, (list, tuple)):
        validate.wrong_type(app, name, value, "a list")
    return value or ()


def _files(items: Sequence[Any]) -> list[File]:
    return [item for item in items if isinstance(item, File)]


def _check_stream(app: str, name: str, stream: Any) -> None:
    is_pair = isinstance(stream, tuple) and len(stream) == 2
    path, mode = stream if is_pair else (stream, "")
    is_path = isinstance(path, (str, os.PathLike, Future)) and isinstance(mode, str)
    if not is_path and not (type(stream) is int and stream == AUTO_LOGNAME):
        validate.wrong_type(app, name, stream, "a path, a pair (path, mode), a File or AUTO_LOGNAME")
