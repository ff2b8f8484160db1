"""A call as bytes, what runs it inside another engine, and its outcome as bytes.

An engine has to run one function, :func:`run_call`, which takes bytes and returns bytes. The engine
therefore never sees users' objects or their exceptions: these keep their types, tracebacks and causes,
whatever the engine does with exceptions of its own.
"""

from __future__ import annotations

import pickle
import sys
from collections import namedtuple
from resource import RUSAGE_SELF, getrusage
from time import perf_counter, thread_time

from parsl.common.system import MAX_RSS_UNIT_BYTES
from parsl.serialize.functions import FunctionCache
from parsl.serialize.payloads import (
    Buffer,
    dump_arguments,
    dump_call,
    dump_exception,
    dump_value,
    load_exception,
    load_value,
    loads,
)
from parsl.version import VERSION
from parsl.vocabulary.kept_value import values_in_place
from parsl.vocabulary.run_observer import Accounting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

#: The version of Python, as far as it must be equal on both sides for pickled functions.
_PYTHON = sys.version_info[:2]
#: The functions that this process unpickled last, by the name of their content.
_functions: dict[bytes, Callable[..., Any]] = {}
_MAX_FUNCTIONS = 1000
#: Where results can stay in an engine, those of at least this many bytes do. Fetching a smaller one at once
#: costs less than requesting it later.
MIN_KEPT_BYTES = 1_000_000

#: After this time, in seconds, no further call of a batch is started.
CALLS_LIMIT_S = 0.05


# Not typing.NamedTuple, because the import of typing takes as long as half of the start of Python.
class Outcome(namedtuple("Outcome", ("value", "error", "accounting", "function_s"), defaults=(None,))):
    """How a call has ended: exactly one of ``value`` and ``error`` counts."""

    __slots__ = ()

    value: Any
    error: BaseException | None
    accounting: Accounting | None
    #: How long the function itself has run, in seconds; 0 if it was not called, None if not known. The time
    #: of the accounting includes the imports that the call needs, which take long in a new process.
    function_s: float | None


class Ran(namedtuple("Ran", ("packed", "is_error", "usage", "function_s"))):
    """How a call has ended, on the side where it has run."""

    __slots__ = ()

    #: What :func:`read_outcome` reads.
    packed: bytes
    is_error: bool
    #: The fields of an Accounting.
    usage: tuple[float, float, int]
    #: As in an Outcome.
    function_s: float

    @property
    def stays(self) -> bool:
        """Whether the outcome is a result that should stay where it is until it is needed. Errors do not."""
        return len(self.packed) >= MIN_KEPT_BYTES and not self.is_error


class CallPacker:
    """Turns calls into bytes. Pickles a function once while nothing that its pickle depends on can change.

    Any thread may use it.
    """

    def __init__(self) -> None:
        self._functions = FunctionCache()

    def pack(self, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> bytes:
        """Return a call as bytes.

        Raises:
            SerializationError: A part of the call cannot be pickled. The message names it.
        """
        named = self._functions.lookup(function)
        if named is None:
            name, body = b"", b""
            payload, buffers = dump_call(function, tuple(args), kwargs)
        else:
            name, body = named.name, named.body
            payload, buffers = dump_arguments(function, tuple(args), kwargs)
        call = (VERSION, _PYTHON, name, body, payload, [pickle.PickleBuffer(each) for each in buffers])
        return pickle.dumps(call, 5)


def run_call(packed: bytes) -> bytes:
    """Run a call of :class:`CallPacker`, and return its outcome as bytes. Runs inside the engine.

    It raises nothing that the call raises: that is an outcome. ``SystemExit`` becomes one as well, because
    what engines do with it differs.
    """
    return run_packed(packed).packed


def run_calls(packed: Sequence[bytes]) -> list[bytes]:
    """Run calls as :func:`run_call` does, one after another, and return their outcomes.

    There are fewer outcomes than calls if the calls have taken longer than expected: the others have not been
    started, so that another worker can run them.
    """
    outcomes = []
    end_s = perf_counter() + CALLS_LIMIT_S
    for call in packed:
        outcomes.append(run_call(call))
        if perf_counter() >= end_s:
            break
    return outcomes


def run_with_kept(packed: bytes, kept: Sequence[Buffer]) -> Ran:
    """Run a call; ``kept`` are the outcomes among its arguments that have stayed in the engine."""
    with values_in_place([read_outcome(outcome).value for outcome in kept]):
        return run_packed(packed)


def run_packed(packed: bytes) -> Ran:
    """Run a call as :func:`run_call` does, and return more about it."""
    start_s, start_cpu_s = perf_counter(), thread_time()
    function_s = 0.0
    buffers: list[Buffer] = []
    try:
        function, args, kwargs = _load_call(packed)
        called_s = perf_counter()
        try:
            value = function(*args, **kwargs)
        finally:
            function_s = perf_counter() - called_s
        is_error = False
        payload, buffers = dump_value(value)
    except BaseException as error:
        is_error, payload = True, _dump_failure(error)
    usage = perf_counter() - start_s, thread_time() - start_cpu_s, _peak_memory()
    outcome = is_error, payload, [pickle.PickleBuffer(each) for each in buffers], usage, function_s
    return Ran(pickle.dumps(outcome, 5), is_error, usage, function_s)


def read_outcome(packed: Buffer) -> Outcome:
    """Return the outcome that :func:`run_call` has returned. Runs in the driver; never raises."""
    try:
        is_error, payload, buffers, usage, function_s = pickle.loads(packed)
        accounting = Accounting(*usage)
        if is_error:
            return Outcome(None, load_exception(payload), accounting, function_s)
        return Outcome(load_value(payload, buffers), None, accounting, function_s)
    except BaseException as error:  # of a class of the user's, perhaps SystemExit
        from parsl.vocabulary.app_errors import task_failure

        return Outcome(None, task_failure(error), None)


def run_here(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Outcome:
    """Run a call in this process, for engines whose tasks share the driver's memory."""
    start_s, start_cpu_s = perf_counter(), thread_time()
    value, failure = None, None
    try:
        value = function(*args, **kwargs)
    except BaseException as error:
        from parsl.vocabulary.app_errors import task_failure

        failure = task_failure(error)
    return Outcome(value, failure, Accounting(perf_counter() - start_s, thread_time() - start_cpu_s))


def _load_call(packed: bytes) -> tuple[Callable[..., Any], Sequence[Any], dict[str, Any]]:
    version, python, name, body, payload, buffers = pickle.loads(packed)
    try:
        if not name:
            function, args, kwargs = loads(payload, buffers)
        else:
            function = _function(name, body)
            args, kwargs = loads(payload, buffers)
    except Exception as error:
        from parsl.serialize.errors import DeserializationError

        reason = f"{type(error).__name__}: {error}"
        text = f"the task's function or arguments cannot be unpickled on the worker: {reason}"
        raise DeserializationError(text + _version_note(version, python)) from error
    return function, args, kwargs


def _function(name: bytes, body: bytes) -> Callable[..., Any]:
    function = _functions.get(name)
    if function is None:
        function = loads(body)
        if len(_functions) >= _MAX_FUNCTIONS:
            _functions.clear()
        _functions[name] = function
    return function


def _version_note(version: str, python: tuple[int, int]) -> str:
    """Name the versions of both sides if they differ."""
    if (version, python) == (VERSION, _PYTHON):
        return ""
    there = f"Parsl {VERSION}, Python {_PYTHON[0]}.{_PYTHON[1]}"
    here = f"Parsl {version}, Python {python[0]}.{python[1]}"
    return f" (the driver runs {here}, this worker {there}: start both from the same environment)"


def _dump_failure(error: BaseException) -> bytes:
    import os

    from parsl.vocabulary.app_errors import task_failure

    facts = {"host": os.uname().nodename, "pid": os.getpid()}
    return dump_exception(task_failure(error.with_traceback(_user_traceback(error))), facts)


def _user_traceback(error: BaseException) -> Any:
    """Return the part of the traceback below this module; all of it if there is no such part."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace if trace is not None else error.__traceback__


def _peak_memory() -> int:
    return getrusage(RUSAGE_SELF).ru_maxrss * MAX_RSS_UNIT_BYTES
