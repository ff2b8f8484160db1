"""The executor that runs tasks as jobs of Flux."""

from __future__ import annotations

import json
import math
import os
import shlex
import shutil
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple, cast

import msgspec

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.executors.base import check_storage_access
from parsl.executors.blocks.block_set import BlockListener
from parsl.executors.blocks.views import BlockActivity
from parsl.executors.engines.errors import EngineMismatch, EngineTaskError, EngineUnreachable
from parsl.executors.engines.executor import EngineExecutor, EngineTask
from parsl.executors.engines.remote_call import read_outcome
from parsl.executors.engines.requests import Request
from parsl.executors.engines.short_functions import ShortFunctions, code_of
from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.flux.dispatch import Block, Dispatch, Waiting
from parsl.executors.flux.link import Link
from parsl.executors.flux.protocol import (
    SETTINGS_FILE,
    SILENCE_LIMIT_S,
    Cancel,
    Done,
    Failed,
    FromBlock,
    Heartbeat,
    NotStarted,
    Register,
    Run,
    Settings,
    Shape,
    Stop,
    mismatch,
)
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost
from parsl.providers.base import ExecutionProvider
from parsl.providers.local.local import LocalProvider

_MODULE = "parsl.executors.flux.flux_instance_manager"
_LOWEST = {"num_tasks": 1, "cores_per_task": 1, "gpus_per_task": 0, "num_nodes": 0}


def _check_executor_kwargs(owner: object, name: str, value: Any) -> dict[str, Any]:
    try:
        if isinstance(value, Mapping) and json.loads(json.dumps(dict(value))) == dict(value):
            return dict(value)
    except (TypeError, ValueError):
        pass
    shown = 'keyword arguments of flux.job.FluxExecutor that JSON can express, such as {"threads": 2}'
    return cast("dict[str, Any]", validate.wrong_type(owner, name, value, shown))


def _impossible(shape: Shape, reason: str) -> InvalidResourceSpecification:
    requested = [key for key, lowest in _LOWEST.items() if getattr(shape, key) != lowest]
    return InvalidResourceSpecification(requested, f"No block can run the task: {reason}.")


class _Call(NamedTuple):
    """What is known of a task's call."""

    #: What stands for its function, see ``code_of``.
    code: CodeType | None
    size_bytes: int


class FluxExecutor(EngineExecutor, RepresentationMixin):
    """Runs tasks as jobs of Flux.

    Each block starts an instance of Flux, with this executor's program in it, which submits the tasks that
    it receives as jobs. Flux starts a few tens of jobs per second: it suits tasks that need several cores,
    GPUs or nodes, or MPI. ``parsl_resource_specification`` may have ``num_tasks`` (processes of the job, such
    as MPI ranks; 1), ``cores_per_task`` (1), ``gpus_per_task`` (0) and ``num_nodes`` (Flux spreads the
    job over them evenly; 0 for any). Each process of a job calls the function; the result of the first is
    the task's.

    While more tasks wait than there are cores, short ones share a job that runs them one after another: those
    of functions of which nearly all of the last hundred tasks took less than a millisecond, if they need one
    process. They cannot be cancelled then, see what the tasks before them have changed in their process, and
    must not wait for each other.

    Args:
        provider: Where blocks come from; None for ``LocalProvider()``. Its launcher runs ``launch_cmd`` in
            each block.
        working_dir: The directory for the files of jobs, which all nodes must see; None for one in the run
            directory. Files are staged to it, too.
        label: The name by which apps choose this executor.
        flux_executor_kwargs: Keyword arguments for the ``flux.job.FluxExecutor`` in each block.
        flux_path: The command ``flux``; None for the one on the PATH of the block.
        launch_cmd: The command that starts a block, with ``{flux}``, ``{python}``, ``{manager}``,
            ``{protocol}``, ``{hostname}`` and ``{port}``; None for :attr:`DEFAULT_LAUNCH_CMD`.
        storage_access: The staging providers to use; None for the default ones.
        max_tasks_per_job: How many short tasks share a job, at most. With 1, each task is a job and a process
            of its own.

    Raises:
        ParameterError: A parameter is not allowed.
    """

    engine = "Flux"
    #: The command that starts a block, unless ``launch_cmd`` is given.
    DEFAULT_LAUNCH_CMD = "{flux} start {python} {manager} {protocol} {hostname} {port}"

    working_dir = validate.Text(allow_empty=False, optional=True)
    label = validate.Text(allow_empty=False, one_line=True)
    flux_executor_kwargs = validate.Custom(_check_executor_kwargs)
    flux_path = validate.Text(allow_empty=False, optional=True)
    launch_cmd = validate.Text(allow_empty=False, optional=True)
    storage_access = validate.Custom(check_storage_access)
    max_tasks_per_job = validate.Integer(low=1)

    def __init__(
        self,
        provider: ExecutionProvider | None = None,
        working_dir: str | None = None,
        label: str = "FluxExecutor",
        flux_executor_kwargs: Mapping[str, Any] = {},
        flux_path: str | None = None,
        launch_cmd: str | None = None,
        storage_access: Sequence[Any] | None = None,
        max_tasks_per_job: int = 8,
    ) -> None:
        super().__init__(provider=provider or LocalProvider())
        validate.assign(self, locals())
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._functions = ShortFunctions()
        self._dispatch = Dispatch(self._functions, self.max_tasks_per_job)
        self._link: Link | None = None

    def prepare_restart(self) -> None:
        """Forget the run that has ended."""
        super().prepare_restart()
        self._begin_anew()

    @property
    def _is_local(self) -> bool:
        return type(self.provider) is LocalProvider and self.provider.nodes_per_block == 1

    @property
    def _directory(self) -> Path:
        return Path(self.run_dir, self.label)

    def connect(self) -> None:
        """Listen for blocks. They are submitted afterwards."""
        flux = self.flux_path or "flux"
        if self._is_local and self.launch_cmd is None and shutil.which(flux) is None:
            raise EngineUnreachable(
                self,
                f"Flux cannot be found on this machine: there is no command {flux!r} on the PATH. Install "
                "flux-core (flux-framework.org), give its path as flux_path, or use a provider of a cluster",
            )
        directory = self._directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.prepare_provider(str(directory))
        address = "127.0.0.1" if self._is_local else "*"
        self._link = link = Link(directory, address, self._received, self._beat)
        settings = Settings(
            [f"tcp://{host}:{link.port}" for host in self._addresses()],
            str(link.cert_dir),
            os.path.abspath(self.working_dir or directory / "jobs"),
            json.dumps(self.flux_executor_kwargs),
        )
        (directory / SETTINGS_FILE).write_bytes(msgspec.json.encode(settings))
        self.blocks.add_listener(_JobEnds(self))
        link.start()

    def _addresses(self) -> list[str]:
        if self._is_local:
            return ["127.0.0.1"]
        from parsl.addresses import get_all_addresses

        found = sorted(address for address in get_all_addresses() if ":" not in address)
        return sorted(found, key=lambda address: address.startswith("127."))

    def launch_command(self, block_id: str) -> str:
        """Return the shell command of a block."""
        settings = self._directory / SETTINGS_FILE
        return (self.launch_cmd or self.DEFAULT_LAUNCH_CMD).format(
            flux=shlex.quote(self.flux_path or "flux"),
            python=shlex.quote(sys.executable),
            manager=f"-m {_MODULE} {shlex.quote(str(settings))} {shlex.quote(block_id)}",
            protocol="tcp",
            hostname=self._addresses()[0],
            port=self._link.port if self._link is not None else 0,
        )

    def read_request(self, specification: dict[str, Any] | None) -> Request:
        """Check what a task requests, and that a connected block can satisfy it.

        Raises:
            InvalidResourceSpecification: It is wrong, or no block can satisfy it.
        """
        given = specification or {}
        if unknown := given.keys() - _LOWEST.keys():
            known = ", ".join(_LOWEST)
            raise InvalidResourceSpecification(unknown, f"A task of a FluxExecutor can request {known}.")
        for key, value in given.items():
            if type(value) is not int or value < _LOWEST[key]:
                raise InvalidResourceSpecification(
                    {key}, f"{key} must be a whole number from {_LOWEST[key]}, not {value!r}."
                )
        shape = Shape(**given)
        with self._lock:
            reason = self._dispatch.shortage(shape) if given else ""
        if reason:
            raise _impossible(shape, reason)
        return Request(options={"shape": shape})

    def pack_call(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return what stands for the function, see ``code_of``, and the call as bytes."""
        return code_of(func), super().pack_call(func, args, kwargs)

    def start_task(self, task: EngineTask, call: Any, request: Request) -> None:
        """Queue a call, and send it if a block has room."""
        code, packed = call
        task.handle = _Call(code, len(packed))
        with self._lock:
            self._dispatch.waiting.append(
                Waiting(task.parsl_executor_task_id, request.options["shape"], packed, code)
            )
            self._send_assigned()

    def _send_assigned(self) -> None:
        if self._link is not None:
            for block, tasks in self._dispatch.assign():
                run = Run([task.number for task in tasks], tasks[0].shape)
                self._link.send(block.identity, run, [task.call for task in tasks])

    def _received(self, identity: bytes, message: FromBlock, payloads: Sequence[bytes]) -> None:
        if isinstance(message, Register):
            self._registered(identity, message)
            return
        with self._lock:
            if (block := self._dispatch.blocks.get(identity)) is None:
                return
            block.heard_s = time.monotonic()
        if isinstance(message, Done | Failed | NotStarted):
            self._job_ended(message, payloads)

    def _registered(self, identity: bytes, facts: Register) -> None:
        if reason := mismatch(facts):
            cast(Link, self._link).send(identity, Stop())
            self.set_bad_state_and_fail_all(EngineMismatch(self, reason))
            return
        with self._lock:
            self._dispatch.blocks[identity] = Block(identity, facts, time.monotonic())
            impossible = self._dispatch.take_impossible()
            self._send_assigned()
        self.blocks.manager_connected(facts.block_id)
        for waiting, reason in impossible:
            task = cast("EngineTask | None", self._tasks.get(waiting.number))
            if task is not None:
                self.task_failed(task, _impossible(waiting.shape, reason))

    def _job_ended(self, message: Done | Failed | NotStarted, payloads: Sequence[bytes]) -> None:
        if isinstance(message, Done) and len(payloads) != len(message.numbers):
            reason = f"its block has sent {len(payloads)} outcomes of {len(message.numbers)} tasks"
            message = Failed(message.numbers, True, reason)
        with self._lock:
            if isinstance(message, NotStarted):
                self._dispatch.put_back(message.numbers)
            self._dispatch.ended(message.numbers, time.monotonic())
            self._send_assigned()
        if isinstance(message, Done):
            for number, payload in zip(message.numbers, payloads, strict=True):
                self._task_done(number, payload)
        if isinstance(message, Failed):
            for number in message.numbers:
                self._task_lost(number, message)

    def _task_done(self, number: int, payload: bytes) -> None:
        task = cast("EngineTask | None", self._tasks.get(number))
        if task is None:
            return  # cancelled
        call: _Call = task.handle
        outcome = read_outcome(payload)
        if outcome.function_s is not None:
            self._functions.ran(call.code, outcome.function_s, call.size_bytes + len(payload))
        task.finish(outcome)

    def _task_lost(self, number: int, message: Failed) -> None:
        task = cast("EngineTask | None", self._tasks.get(number))
        if task is None:
            return  # cancelled
        if message.had_started:
            self._functions.ran(task.handle.code, math.inf, task.handle.size_bytes)
            self.task_failed(task, WorkerLost(number, "Flux", f"A job of Flux: {message.reason}"))
        else:
            reason = f"Flux has not started the job of the task: {message.reason}"
            self.task_failed(task, EngineTaskError(self, reason))

    def _beat(self) -> None:
        with self._lock:
            silent = self._dispatch.silent(time.monotonic(), SILENCE_LIMIT_S)
            others = [block.identity for block in self._dispatch.blocks.values() if block not in silent]
        for block in silent:
            self._lost(block, f"it sent nothing for {SILENCE_LIMIT_S:g} s")
        for identity in others:
            cast(Link, self._link).send(identity, Heartbeat())

    def block_ended(self, block_id: str) -> None:
        """Fail the tasks of a block whose job has ended."""
        with self._lock:
            ended = [one for one in self._dispatch.blocks.values() if one.facts.block_id == block_id]
        for block in ended:
            self._lost(block, "its job has ended")

    def _lost(self, block: Block, reason: str) -> None:
        with self._lock:
            lost = self._dispatch.remove(block)
        facts = block.facts
        for number in lost:
            task = cast("EngineTask | None", self._tasks.get(number))
            if task is not None:
                text = f"Block {facts.block_id} of Flux on {facts.host} was lost: {reason}"
                self.task_failed(task, ManagerLost(facts.block_id, facts.host, text))
        self.blocks.process_lost()

    def cancel_task(self, task: EngineTask) -> bool:
        """Cancel a task, whether it waits or runs; not one that shares a job with others."""
        number = task.parsl_executor_task_id
        with self._lock:
            job = self._dispatch.cancel(number)
            if job is None:
                return True
            if job.is_shared:
                return False
            if self._link is not None:
                self._link.send(job.block.identity, Cancel(number))
        return True

    @property
    def workers_per_node(self) -> int | float | None:
        """How many tasks of one core a node runs at once; None while no block is connected."""
        with self._lock:
            sizes = [one.facts.cores // max(1, one.facts.nodes) for one in self._dispatch.blocks.values()]
        return max(sizes, default=0) or None

    def block_activity(self) -> Mapping[str, BlockActivity]:
        """Return what the connected blocks are doing."""
        now_s = time.monotonic()
        with self._lock:
            return {
                block.facts.block_id: BlockActivity(
                    managers=1,
                    workers=block.facts.cores,
                    tasks=block.task_count,
                    idle_s=0.0 if block.jobs else now_s - block.idle_since_s,
                )
                for block in self._dispatch.blocks.values()
            }

    def prepare_scale_in(self, block_ids: list[str]) -> list[str]:
        """Give these blocks no more tasks; return those that are still idle."""
        with self._lock:
            idle = [
                block
                for block in self._dispatch.blocks.values()
                if block.facts.block_id in block_ids and not block.jobs
            ]
            for block in idle:
                block.is_held = True
        return [block.facts.block_id for block in idle]

    def disconnect(self) -> None:
        """Stop the programs in the blocks, and close the connections. The blocks end with them."""
        link, self._link = self._link, None
        if link is not None:
            with self._lock:
                identities = list(self._dispatch.blocks)
            for identity in identities:
                link.send(identity, Stop())
            link.close()
        (self._directory / SETTINGS_FILE).unlink(missing_ok=True)


class _JobEnds(BlockListener):
    """Passes the ends of jobs on."""

    def __init__(self, executor: FluxExecutor) -> None:
        self._executor = executor

    def job_ended(self, block_id: str) -> None:
        self._executor.block_ended(block_id)
