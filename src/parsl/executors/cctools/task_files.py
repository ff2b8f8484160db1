"""The files of a task that the engine sends to the worker and fetches from it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import chain, count
from typing import Any, NamedTuple

from parsl.vocabulary.files import File

#: The names of a task's own files on the worker, which no file of the user gets.
REMOTE_SCRIPT, REMOTE_CALL, REMOTE_OUTCOME = "parsl_task.py", "parsl_call", "parsl_outcome"
_STREAMS = ("stdout", "stderr")


class Transfer(NamedTuple):
    """A file that is sent or fetched."""

    #: The path on the driver's machine, absolute.
    local: str
    #: The name in the task's directory on the worker.
    remote: str


class TaskFiles:
    """Finds the files among a call's arguments, and replaces their paths by names in the task's directory."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        #: What to send to the worker.
        self.inputs: list[Transfer] = []
        #: What to fetch from it.
        self.outputs: list[Transfer] = []

    def replace(
        self, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments as the function on the worker needs them.

        Files among the arguments, and those of ``inputs``, are sent; those of ``outputs``, and the streams
        of a bash app, are fetched.
        """
        # First, because an input may be an output too.
        outputs = [self._output(item) for item in kwargs.get("outputs") or ()]
        new_args = tuple(self._input(item) for item in args)
        new_kwargs = {name: self._argument(name, value) for name, value in kwargs.items()}
        if "outputs" in kwargs:
            new_kwargs["outputs"] = outputs
        return new_args, new_kwargs

    def _argument(self, name: str, value: Any) -> Any:
        if name in _STREAMS:
            return self._stream(value)
        if name == "inputs" and isinstance(value, (list, tuple)):
            return [self._input(item) for item in value]
        return value if name == "outputs" else self._input(value)

    def _input(self, value: Any) -> Any:
        if not isinstance(value, File) or value.scheme != "file":
            return value
        remote = self._note(self.inputs, value.filepath)
        return _renamed(value, remote)

    def _output(self, value: Any) -> Any:
        if not isinstance(value, File) or value.scheme != "file":
            return value
        return _renamed(value, self._note(self.outputs, value.filepath))

    def _stream(self, value: Any) -> Any:
        """Return a stream's new description: None, a path, or a path and a mode."""
        path, mode = value if isinstance(value, tuple) else (value, None)
        if isinstance(path, File) and path.scheme != "file":
            return value
        if not isinstance(path, (str, os.PathLike)):
            return value
        local = os.fspath(path)
        remote = self._note(self.outputs, local)
        if (mode is None or "a" in mode) and os.path.exists(local):
            self._note(self.inputs, local)  # the command appends to it
        new = _renamed(path, remote) if isinstance(path, File) else remote
        return new if mode is None else (new, mode)

    def _note(self, transfers: list[Transfer], path: str) -> str:
        transfer = Transfer(os.path.abspath(path), self._name(os.path.abspath(path)))
        if transfer not in transfers:
            transfers.append(transfer)
        return transfer.remote

    def _name(self, local: str) -> str:
        """Return the name of a file in the task's directory: its own, unless another file has that."""
        if local not in self._names:
            name = os.path.basename(local)
            taken = {REMOTE_SCRIPT, REMOTE_CALL, REMOTE_OUTCOME, *self._names.values()}
            numbered = (f"{number}-{name}" for number in count(len(self._names)))
            self._names[local] = next(new for new in chain([name], numbered) if new not in taken)
        return self._names[local]


def _renamed(file: File, remote: str) -> File:
    copy = file.cleancopy()
    copy.local_path = os.path.join(os.curdir, remote)  # apps may build other paths from its directory
    return copy
