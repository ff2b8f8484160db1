"""The base of the executors of Work Queue and TaskVine."""

from __future__ import annotations

import logging
import math
import os
import secrets
import shlex
import shutil
import sys
import tempfile
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from parsl import validate
from parsl.common.notices import warn_user
from parsl.executors.cctools.contact import Contact
from parsl.executors.cctools.environments import Environment
from parsl.executors.cctools.interpreters import Interpreter, find_interpreter
from parsl.executors.cctools.manager_process import ManagerProcess
from parsl.executors.cctools.task_files import REMOTE_CALL, REMOTE_OUTCOME, REMOTE_SCRIPT, TaskFiles, Transfer
from parsl.executors.cctools.task_script import NO_PARSL
from parsl.executors.cctools.wire import CANCEL, ENDED, SUBMIT, Record
from parsl.executors.engines.call_file import run_call_file
from parsl.executors.engines.engine_process import EngineProcessFailed
from parsl.executors.engines.errors import HOW_TO_INSTALL, EngineMismatch, WaitingTaskWarning, waiting_text
from parsl.executors.engines.executor import EngineExecutor, EngineTask
from parsl.executors.engines.remote_call import read_outcome
from parsl.executors.engines.requests import Node, Request, unsatisfiable
from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost
from parsl.providers.base import ExecutionProvider

logger = logging.getLogger(__name__)

TASK_SCRIPT = str(Path(__file__).with_name("task_script.py"))
#: The category of tasks that have none of their own.
DEFAULT_CATEGORY = "parsl-default"
#: The resources that a request names all or none of.
_TOGETHER = ("cores", "memory", "disk")
_AMOUNTS = (*_TOGETHER, "gpus")
_WORKER_GONE = ("MAX_RETRIES", "FORSAKEN")
_MESSAGE_CHARS = 2000
_PASSWORD_BYTES = 32


class PackedCall(NamedTuple):
    """A call with what the engine needs to know about it."""

    packed: bytes
    category: str
    inputs: list[Transfer]
    outputs: list[Transfer]


class TaskPaths(NamedTuple):
    """The files of a task in the executor's directory."""

    call: str
    outcome: str
    #: Whether the function is to create files that the engine fetches.
    has_outputs: bool
    request: Request


class CCToolsExecutor(EngineExecutor):
    """Runs tasks with an engine of the CCTools, whose library runs in a manager process.

    A subclass defines what differs: the settings of its library, the commands of workers, and errors. The
    attributes that the methods here use are parameters of both executors.
    """

    request_keys = frozenset({"cores", "memory", "disk", "gpus", "priority", "category", "running_time_min"})

    #: The possible names of the library's Python module.
    modules: ClassVar[tuple[str, ...]]
    #: The module of Parsl that runs in the manager process.
    manager_module: ClassVar[str]
    #: A program that is installed together with the library.
    tool: ClassVar[str]
    #: What to do if the library is missing.
    remedy: ClassVar[str]

    init_command: str
    shared_fs: bool
    autolabel: bool
    autocategory: bool
    working_dir: str | None
    contact: Contact

    _manager: ManagerProcess | None = None
    _environment: Environment | None = None
    _nodes: Sequence[Node] = ()
    #: The amounts of requests about which the user was warned.
    _warned: set[tuple[float | None, ...]]
    #: The port at which workers reach the manager process, once that has started.
    bound_port = 0

    @abstractmethod
    def library_settings(self) -> dict[str, Any]:
        """Return the settings for ``Engine.open``, as JSON can represent them."""

    @abstractmethod
    def manager_failure(self, reason: str) -> Exception:
        """Return the error for a manager process that could not start, or was lost."""

    @abstractmethod
    def task_failure(self, reason: str, results: list[str], facts: dict[str, Any]) -> Exception:
        """Return the error for a task that the engine has failed."""

    def make_environment(self) -> Environment | None:
        """Return an environment to send to workers; None if tasks use what is there."""
        return None

    def connect(self) -> None:
        """Start the manager process.

        Raises:
            OptionalModuleMissing: No Python has the engine's module.
        """
        self.contact.warn_if_public(self.engine)
        python = find_interpreter(self.modules, self.tool, type(self).__name__, self.remedy)
        self.log_dir = os.path.join(self.run_dir, self.label)
        os.makedirs(self.log_dir, exist_ok=True)
        self._function_dir = self.make_function_directory()
        try:
            self._start_manager(python)
        except BaseException:
            shutil.rmtree(self._function_dir, ignore_errors=True)
            raise

    def _start_manager(self, python: Interpreter) -> None:
        self._protect_workers()
        self.prepare_provider(self.log_dir)
        self._environment = self.make_environment()
        self._nodes = []
        self._warned = set()
        self._path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
        self._manager = ManagerProcess(
            python.run(self.manager_module), f"{self.log_dir}/manager.log", self._receive, self._lost
        )
        try:
            self.bound_port = self._manager.start(self.library_settings())["port"]
        except EngineProcessFailed as error:
            raise self.manager_failure(f"{self.engine} could not start: {error}") from None
        logger.info("The manager process of %s listens on port %d", self.label, self.bound_port)

    def _protect_workers(self) -> None:
        """Make a password for the workers, if the executor starts all of them and there is none."""
        contact = self.contact
        if self.starts_all_workers() and not contact.project_name and not contact.password_file:
            # mkstemp creates a new file that only its owner can read.
            descriptor, path = tempfile.mkstemp(prefix="password-", dir=os.path.abspath(self.log_dir))
            with open(descriptor, "w") as file:
                file.write(secrets.token_hex(_PASSWORD_BYTES))
            self.contact = contact._replace(password_file=path)

    def starts_all_workers(self) -> bool:
        """Return whether no worker is started by hand."""
        return self._has_blocks_only()

    @property
    def manager_pid(self) -> int | None:
        """The process id of the manager process; None before the start."""
        return None if self._manager is None else self._manager.pid

    def make_function_directory(self) -> str:
        """Make the directory of the files of calls and outcomes, and return it. It is removed at the end."""
        path = os.path.join(self.log_dir, "functions")
        os.makedirs(path, exist_ok=True)
        return path

    def read_request(self, specification: dict[str, Any] | None) -> Request:
        """Check what a task requests: of cores, memory and disk all or none, unless labels are automatic.

        Raises:
            InvalidResourceSpecification: The specification is wrong, or cannot be satisfied.
        """
        request = super().read_request(specification)
        given = {name for name in _TOGETHER if getattr(request, name) is not None}
        if given and len(given) < len(_TOGETHER) and not self.autolabel:
            raise InvalidResourceSpecification(
                given,
                f"A task of a {type(self).__name__} requests cores, memory (MB) and disk (MB), or none of "
                "them: a task without a request gets a whole worker, and the engine would take that for the "
                "missing ones. With autolabel=True the engine measures what tasks need.",
            )
        return request

    def pack_call(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> PackedCall:
        """Return a call as bytes, with the files that go with it."""
        files = TaskFiles()
        if not self.shared_fs:
            args, kwargs = files.replace(args, kwargs)
        name = getattr(func, "__name__", DEFAULT_CATEGORY) if self.autocategory else DEFAULT_CATEGORY
        return PackedCall(self._packer.pack(func, args, kwargs), name, files.inputs, files.outputs)

    def start_task(self, task: EngineTask, call: PackedCall, request: Request) -> None:
        """Write the call into a file, and have the manager process submit a task for it."""
        number = task.parsl_executor_task_id
        stem = os.path.join(self._function_dir, str(number))
        paths = TaskPaths(f"{stem}.call", f"{stem}.outcome", bool(call.outputs), request)
        with open(paths.call, "wb") as file:
            file.write(call.packed)
        task.handle = paths
        assert self._manager is not None
        self._warn_of_waiting([request])
        self._manager.send([SUBMIT, self._order(number, paths, call, request)])

    def _order(self, number: int, paths: TaskPaths, call: PackedCall, request: Request) -> dict[str, Any]:
        names = (paths.call, paths.outcome)
        inputs: list[tuple[str, str, bool]] = []
        outputs: list[tuple[str, str]] = []
        if not self.shared_fs:
            names = (REMOTE_CALL, REMOTE_OUTCOME)
            inputs = [(paths.call, REMOTE_CALL, False)]
            inputs += [(*transfer, self.caches_inputs) for transfer in call.inputs]
            outputs = [(paths.outcome, REMOTE_OUTCOME), *call.outputs]
        command, own_inputs = self.task_program(*names)
        return {
            "number": number,
            "command": command,
            "inputs": inputs + own_inputs,
            "outputs": outputs,
            "category": request.category or call.category,
            "resources": {name: getattr(request, name) for name in _AMOUNTS},
            "priority": request.priority,
            "running_time_min": request.running_time_min,
        }

    @property
    def caches_inputs(self) -> bool:
        """Whether workers keep input files for later tasks."""
        return False

    def task_program(self, call: str, outcome: str) -> tuple[str, list[tuple[str, str, bool]]]:
        """Return the command of a task, and what it needs: local and remote paths, and whether they are kept.

        Args:
            call: The file of the call, as the task finds it.
            outcome: The file of the outcome, likewise.
        """
        return self.program(run_call_file, call, outcome)

    def program(
        self, function: Callable[..., object], *arguments: str
    ) -> tuple[str, list[tuple[str, str, bool]]]:
        """Return the shell command that calls one of Parsl's functions on a worker, and its files."""
        inputs = [] if self.shared_fs else [(TASK_SCRIPT, REMOTE_SCRIPT, True)]
        if self._environment is not None:
            inputs += self._environment.inputs
        return self._command(function.__module__, function.__name__, *arguments), inputs

    def _command(self, *words: str) -> str:
        """Return the shell command of the script. The driver's Python runs it, where that exists."""
        has_own = self.init_command or self._environment is not None
        choice = "P=python3" if has_own else f'P={shlex.quote(sys.executable)}; [ -x "$P" ] || P=python3'
        is_here = self.shared_fs and self._environment is None
        place = f"cd {shlex.quote(os.path.abspath(self.working_dir or '.'))} || exit 1" if is_here else ""
        prefix = self._environment.prefix if self._environment is not None else ""
        script = TASK_SCRIPT if self.shared_fs else REMOTE_SCRIPT
        # A trap of init_command needs the shell until the end.
        start = "" if "trap" in self.init_command.split() else "exec "
        call = shlex.join([sys.executable, self._path, *words])
        run = f'{start}{prefix}"$P" {shlex.quote(script)} $$ {call}'
        # On lines of their own, because init_command may end with a comment.
        return "\n".join(part for part in (place, self.init_command.strip(), choice, run) if part)

    def cancel_task(self, task: EngineTask) -> bool:
        """Cancel a task. The engine ends a running one."""
        if self._manager is not None:
            self._manager.send([CANCEL, task.parsl_executor_task_id])
        if task.handle is not None:
            _remove(task.handle.call)
        return True

    def _receive(self, record: Record) -> None:
        """Act on a record of the manager process. Runs in its receiving thread."""
        if record[0] == ENDED:
            _, number, facts = record
            task = self._tasks.get(number)
            if isinstance(task, EngineTask):
                try:
                    self._ended(task, facts)
                except Exception as error:  # the outcome cannot be read; the thread serves other tasks too
                    self.task_failed(task, error)
        else:
            is_first = not self._nodes
            self._nodes = [
                Node(group["cores"], group["memory"], group["disk"], group["gpus"])
                for group in record[1]
                for _ in range(group["workers"])
            ]
            if is_first:
                self._fail_impossible()
            self._warn_of_waiting(self._requests())

    def _fail_impossible(self) -> None:
        """Fail the tasks that were submitted before a worker was known, and that none can ever run."""
        for task in list(self._tasks.values()):
            if isinstance(task, EngineTask) and task.handle is not None:
                request: Request = task.handle.request
                requested = {name for name in _AMOUNTS if getattr(request, name)}
                try:
                    self.check_capacity(request, dict.fromkeys(requested, True))
                except InvalidResourceSpecification as error:
                    self.cancel_task(task)
                    self.task_failed(task, error)

    def _requests(self) -> list[Request]:
        """Return the requests of the tasks that have not ended."""
        handles = [getattr(task, "handle", None) for task in list(self._tasks.values())]
        return [handle.request for handle in handles if handle is not None]

    def _warn_of_waiting(self, requests: Iterable[Request]) -> None:
        """Warn once of each request that no connected worker can satisfy: others may still connect."""
        nodes = self._nodes
        for request in requests:
            amounts = tuple(getattr(request, name) for name in _AMOUNTS)
            if not any(amounts) or amounts in self._warned or not (reason := unsatisfiable(request, nodes)):
                continue
            self._warned.add(amounts)
            text = waiting_text(self, len(nodes), reason)
            logger.warning("%s", text)
            warn_user(text, WaitingTaskWarning)

    def _ended(self, task: EngineTask, facts: dict[str, Any]) -> None:
        paths: TaskPaths = task.handle
        packed = _take(paths.outcome)
        _remove(paths.call)
        results: list[str] = facts["result"]
        if packed is None or set(results) - {"OUTPUT_MISSING"}:
            self.task_failed(task, self._failure(task, results, facts))
            return
        outcome = read_outcome(packed)
        if "OUTPUT_MISSING" in results and paths.has_outputs and outcome.error is None:
            self.task_failed(task, self.task_failure(self.words(["OUTPUT_MISSING"], facts), results, facts))
        else:
            task.finish(outcome)

    def _failure(self, task: EngineTask, results: list[str], facts: dict[str, Any]) -> BaseException:
        """Return the error for a task without an outcome."""
        host, status = facts.get("host") or "", facts.get("status", 0)
        output = _end_of_text(facts.get("output"))
        if set(results) & set(_WORKER_GONE):
            return ManagerLost(
                "worker", host, f"The task's {self.engine} worker was lost while it ran the task"
            )
        if status == NO_PARSL:
            return EngineMismatch(
                self,
                f"a worker of {self.engine}{f' on {host}' if host else ''} cannot import Parsl. "
                f"{HOW_TO_INSTALL}, or activate an environment that has it with init_command.{output}",
            )
        if status and not set(results) - {"OUTPUT_MISSING", "SIGNAL"}:
            how = f"signal {status - 128 if status > 128 else status}" if _is_signal(status, results) else ""
            end = how or f"exit code {status}"
            text = f"The process of the task on {host} has ended with {end}, without an outcome.{output}"
            return WorkerLost(task.parsl_executor_task_id, host, text, exit_code=status)
        return self.task_failure(self.words(results, facts) + output, results, facts)

    def words(self, results: list[str], facts: dict[str, Any]) -> str:
        """Describe the engine's results."""
        reasons = [facts[key] for key in ("reason",) if facts.get(key)]
        reasons += [_WORDS.get(result, f"its result is {result}") for result in results if not reasons]
        return f"{self.engine} has failed the task: {'; '.join(reasons) or 'there is no outcome'}."

    def _lost(self, reason: str) -> None:
        """Fail everything: the manager process has ended. Runs in its receiving thread."""
        failure = self.manager_failure(f"the manager process of {self.engine} was lost: it {reason}")
        self.fail_outstanding(failure)
        self.set_bad_state_and_fail_all(failure)

    def nodes(self) -> Iterable[Node]:
        """Return the workers of the executor's blocks, which are all alike; others may still connect."""
        return self._nodes if self._has_blocks_only() and not self.contact.project_name else ()

    def _has_blocks_only(self) -> bool:
        return self._provider is not None and self._provider.max_blocks > 0

    def current_slots(self) -> int | None:
        """Return how many tasks with one core each the connected workers run at once."""
        return sum(max(1, int(node.cores)) for node in self._nodes if math.isfinite(node.cores))

    def disconnect(self) -> None:
        """End the manager process, which releases the workers."""
        if self._manager is not None:
            self._manager.stop()
        shutil.rmtree(self._function_dir, ignore_errors=True)


_WORDS = {
    "INPUT_MISSING": "an input file does not exist or cannot be read on the driver's machine",
    "OUTPUT_MISSING": "the function has not created all of its output files",
    "STDOUT_MISSING": "the task has run, but its output could not be fetched",
    "SIGNAL": "a signal has ended the task",
    "RESOURCE_EXHAUSTION": "it has used more cores, memory or disk than it requested or a worker has",
    "TASK_TIMEOUT": "it has not ended before its end time",
    "MAX_END_TIME": "it has not ended before its end time",
    "UNKNOWN": "the reason is not known",
    "TASK_MAX_RUN_TIME": "it has run longer than allowed",
    "MAX_WALL_TIME": "it has run longer than allowed",
    "DISK_ALLOC_FULL": "its directory on the worker is full",
    "RMONITOR_ERROR": "the resource monitor could not measure it",
    "OUTPUT_TRANSFER_ERROR": "its output files could not be fetched: check the disk of the driver's machine",
    "SANDBOX_EXHAUSTION": "its directory on the worker is full",
    "FIXED_LOCATION_MISSING": "its files are on a worker that is gone",
    "CANCELLED": "it was cancelled in the engine",
    "LIBRARY_EXIT": "the library that runs the function on the worker has ended",
}


def check_provider(executor: object, provider: object) -> ExecutionProvider:
    """Return a provider. Raises ParameterError for other objects."""
    return validate.instance(executor, "provider", provider, ExecutionProvider)  # type: ignore[no-any-return]


def _is_signal(status: int, results: list[str]) -> bool:
    return status > 128 or "SIGNAL" in results


def _end_of_text(output: str | None) -> str:
    text = (output or "").strip()
    return f" Its output ended with: {text[-_MESSAGE_CHARS:]}" if text else ""


def _take(path: str) -> bytes | None:
    """Read and remove a file; None if it is not there."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        return None
    _remove(path)
    return content


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # fetched files may be missing, and cancelled tasks lose theirs twice
