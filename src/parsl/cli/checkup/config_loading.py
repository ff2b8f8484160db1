"""Finds the configurations in a file or a module, without starting Parsl."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from runpy import run_module, run_path
from traceback import extract_tb
from types import FunctionType
from typing import Any, NamedTuple

from parsl.config import Config
from parsl.dataflow.dflow import DataFlowKernel
from parsl.vocabulary.findings import Finding, Topic

_IMPORT = Topic("import")
_NODE_FILE = "PBS_NODEFILE"


class Loaded(NamedTuple):
    """The configurations by name, and the findings about the file."""

    configs: dict[str, Config]
    findings: list[Finding]


class KernelStarted(BaseException):
    """The file starts Parsl. This is not an Exception, so that the file's own handlers do not catch it."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.config = config


def load_configs(target: str) -> Loaded:
    """Import ``config.py`` or ``package.module``, and find its configurations, or the one after ``:name``."""
    place, name = split_target(target)
    configs: dict[str, Config] = {}
    findings: list[Finding] = []
    with _observed(findings):
        where = place
        try:
            names = _run(place)
            where = f"{place}:{name}"
            configs = _choose(names, name, place)
        except KernelStarted as started:
            text = f"{place} calls parsl.load when it is imported: the rest of the file was not checked."
            findings.append(_IMPORT.note(text))
            configs = {name or "parsl.load(...)": started.config}
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            findings.append(_failure(where, error))
    return Loaded(configs, findings)


def split_target(target: str) -> tuple[str, str]:
    """Split ``config.py:name``; the name may be empty."""
    place, colon, name = target.rpartition(":")
    if colon and place and name.isidentifier():
        return place, name
    return target, ""


def _run(place: str) -> dict[str, Any]:
    if place.endswith(".py") or os.path.exists(place):
        path = os.path.abspath(place)
        directory = os.path.dirname(path)
        run = partial(run_path, path, run_name=os.path.splitext(os.path.basename(path))[0])
    else:
        directory = os.getcwd()
        run = partial(run_module, place, run_name=place)
    sys.path.insert(0, directory)
    try:
        return run()
    finally:
        sys.path.remove(directory)


def _choose(names: dict[str, Any], name: str, place: str) -> dict[str, Config]:
    if not name:
        found = {key: value for key, value in names.items() if isinstance(value, Config)}
        by_identity = {id(value): key for key, value in reversed(found.items())}
        if not found:
            made_by = _functions_of(names)
            raise LookupError(
                "it has no Config. If a function makes one, name the function, as in "
                f"{place}:{made_by[0] if made_by else 'function'}"
                + (f" (there are {', '.join(made_by[:5])})" if len(made_by) > 1 else "")
            )
        return {key: value for key, value in found.items() if by_identity[id(value)] == key}
    if name not in names:
        others = [key for key, value in names.items() if isinstance(value, Config)] + _functions_of(names)
        raise LookupError(f"it has no {name}" + (f", but {', '.join(others[:5])}" if others else ""))
    value = names[name]
    if not isinstance(value, Config) and callable(value):
        value = value()
    if not isinstance(value, Config):
        raise TypeError(f"{name} is a {type(value).__name__}, not a Config")
    return {name: value}


def _functions_of(names: dict[str, Any]) -> list[str]:
    """Return the public functions that a file itself defines."""
    module = names.get("__name__")
    return [
        key
        for key, value in names.items()
        if isinstance(value, FunctionType) and value.__module__ == module and not key.startswith("_")
    ]


@contextmanager
def _observed(findings: list[Finding]) -> Iterator[None]:
    """Keep the file from starting a kernel and from writing to stdout, and record its warnings."""

    def refuse(_kernel: object, config: Config) -> None:
        raise KernelStarted(config)

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            findings.append(_IMPORT.warning(record.getMessage()))

    notes, logger, start = Notes(logging.WARNING), logging.getLogger("parsl"), DataFlowKernel.__init__
    logger.addHandler(notes)
    DataFlowKernel.__init__ = refuse  # type: ignore[method-assign, assignment]
    try:
        with warnings.catch_warnings(record=True) as caught, redirect_stdout(sys.stderr):
            warnings.simplefilter("always", DeprecationWarning)
            yield
    finally:
        DataFlowKernel.__init__ = start  # type: ignore[method-assign]
        logger.removeHandler(notes)
    texts = dict.fromkeys(str(warning.message) for warning in caught)
    findings += [_IMPORT.warning(text) for text in texts]


def _failure(place: str, error: BaseException) -> Finding:
    what = str(error) if isinstance(error, LookupError) and not isinstance(error, KeyError) else _shown(error)
    line = _line(place, error)
    return _IMPORT.error(f"{place} cannot be used: {what}{line}", _advice(place, error))


def _shown(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it ends the program when it is imported (sys.exit({error.code!r}))"
    return f"{type(error).__name__}: {error}"


def _line(place: str, error: BaseException) -> str:
    path = os.path.abspath(place)
    frames = [frame for frame in extract_tb(error.__traceback__) if os.path.abspath(frame.filename) == path]
    if not frames:
        return ""
    return f" - in line {frames[-1].lineno}: {frames[-1].line}"


def _advice(place: str, error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        return (
            f"Install {error.name}, or run this with the Python that runs your script, not {sys.executable}."
        )
    try:
        with open(place, encoding="utf-8", errors="replace") as file:
            reads_node_file = _NODE_FILE in file.read()
    except OSError:
        return ""
    return _node_file_advice() if reads_node_file else ""


def _node_file_advice() -> str:
    path = os.environ.get(_NODE_FILE)
    if not path:
        return f"It reads {_NODE_FILE}, which is set inside a PBS job only: run parsl doctor there."
    if not os.path.isfile(path):
        return f"{_NODE_FILE} is {path}, which does not exist here: run parsl doctor inside the job."
    if not os.path.getsize(path):
        return f"{_NODE_FILE} is {path}, which is empty: there is no node to run on."
    return ""
