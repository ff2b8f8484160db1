"""The first program of a Flux instance: submits tasks of the executor as jobs, and sends back their outcomes.

``flux start python -m parsl.executors.flux.flux_instance_manager SETTINGS BLOCK``; it ignores more arguments.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import zmq

from parsl.curvezmq import ClientContext
from parsl.executors.engines import call_file
from parsl.executors.flux.protocol import (
    HEARTBEAT_PERIOD_S,
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
    Stop,
    decode_to_block,
    encode,
)
from parsl.version import VERSION

#: Variables that bind jobs to another resource manager, whose job this block is.
_FOREIGN_VARIABLES = ("I_MPI_PMI_LIBRARY",)
#: How much of the error output of a lost job is reported, in characters.
_MAX_TAIL = 2000
#: How many messages are handled at once: heartbeats and outcomes are sent in between.
_MAX_MESSAGES = 100


class _Job(NamedTuple):
    """A job of Flux that runs tasks, one after another."""

    future: Any
    numbers: list[int]


def _has_ended(future: Any) -> bool:
    """Return whether the processes of a job have certainly ended.

    Flux reports an exception of a job, such as a time limit, when it begins to end the processes.
    """
    return not future.cancelled() and future.exception() is None


class Jobs:
    """The jobs of one Flux instance. The main thread owns it; Flux's threads only append to ``ended``."""

    def __init__(self, directory: Path, executor_kwargs: dict[str, Any], wake: int) -> None:
        flux, self._flux_job = import_module("flux"), import_module("flux.job")
        self._handle = flux.Flux()
        self._executor = self._flux_job.FluxExecutor(**executor_kwargs)
        self._directory = directory
        self._wake = wake
        #: The jobs that have not ended, by the number of the first task.
        self._jobs: dict[int, _Job] = {}
        #: The keys of jobs that have ended.
        self.ended: deque[int] = deque()
        self._environment = {k: v for k, v in os.environ.items() if k not in _FOREIGN_VARIABLES}

    def size(self) -> tuple[int, int, int]:
        """Return the nodes, cores and GPUs of the instance; zeros if it does not report them."""
        try:
            up = import_module("flux.resource").resource_list(self._handle).get().up
            return up.nnodes, up.ncores, up.ngpus
        except Exception:
            return 0, 0, 0

    def submit(self, run: Run, calls: Sequence[bytes]) -> None:
        """Submit tasks as a job."""
        try:
            future = self._executor.submit(self._specification(run, calls))
        except BaseException:
            self._remove_files(run.numbers)
            raise
        key = run.numbers[0]
        self._jobs[key] = _Job(future, run.numbers)
        future.add_done_callback(partial(self._job_ended, key))

    def _specification(self, run: Run, calls: Sequence[bytes]) -> Any:
        """Write the calls into files, and return the job that runs them."""
        shape = run.shape
        command = [sys.executable, *call_file.ARGUMENTS]
        for number, call in zip(run.numbers, calls, strict=True):
            self._path(number, "call").write_bytes(call)
            command += str(self._path(number, "call")), str(self._path(number, "outcome"))
        spec = self._flux_job.JobspecV1.from_command(
            command,
            num_tasks=shape.num_tasks,
            cores_per_task=shape.cores_per_task,
            gpus_per_task=shape.gpus_per_task or None,
            num_nodes=shape.num_nodes or None,
        )
        spec.cwd = os.getcwd()
        spec.environment = self._environment
        spec.stdout = spec.stderr = str(self._path(run.numbers[0], "output"))
        return spec

    def _job_ended(self, key: int, future: Any) -> None:
        self.ended.append(key)
        os.write(self._wake, b"w")

    def _path(self, number: int, kind: str) -> Path:
        return self._directory / f"{number}.{kind}"

    def cancel(self, key: int) -> None:
        """Cancel a job, whether it waits or runs."""
        job = self._jobs.get(key)
        if job is None or job.future.done() or job.future.cancel():
            return
        try:
            self._flux_job.cancel(self._handle, job.future.jobid(timeout=10))
        except Exception as error:
            _note(f"the job of task {key} was not cancelled: {error}")

    def take_outcomes(self, key: int) -> list[tuple[FromBlock, Sequence[bytes]]]:
        """Return how the tasks of a job have ended, as messages, and remove its files."""
        job = self._jobs.pop(key)
        outcomes = {number: self._outcome(number) for number in job.numbers}
        done = {number: outcome for number, outcome in outcomes.items() if outcome}
        missing = [number for number, outcome in outcomes.items() if outcome is None]
        waiting = [number for number, outcome in outcomes.items() if outcome == b""]
        messages: list[tuple[FromBlock, Sequence[bytes]]] = []
        if done:
            messages.append((Done(list(done)), list(done.values())))
        if missing:
            failure = self._failure(missing, job)
            if _has_ended(job.future):  # while the process was running the first of them
                waiting += missing[1:]
                failure.numbers = missing[:1]
            messages.append((failure, ()))
        if waiting:
            messages.append((NotStarted(waiting), ()))
        self._remove_files(job.numbers)
        return messages

    def _remove_files(self, numbers: list[int]) -> None:
        for number in numbers:
            for kind in ("call", "outcome", "outcome.unfinished", "output"):
                self._path(number, kind).unlink(missing_ok=True)

    def _outcome(self, number: int) -> bytes | None:
        """Return what a job has written of a task: nothing if the task was not started; None if lost."""
        try:
            return self._path(number, "outcome").read_bytes()
        except OSError:
            return None

    def _failure(self, numbers: list[int], job: _Job) -> Failed:
        future = job.future
        if future.cancelled():
            return Failed(numbers, False, "the job was cancelled")
        output = self._path(job.numbers[0], "output")
        if (error := future.exception()) is not None:
            return Failed(numbers, output.exists(), f"{type(error).__name__}: {error}")
        try:
            text = output.read_text(errors="replace")[-_MAX_TAIL:].strip()
        except OSError:
            text = ""
        owner = "Its output" if len(job.numbers) == 1 else f"The output of its {len(job.numbers)} tasks"
        ending = f" {owner} ended with:\n{text}" if text else ""
        reason = f"the process of the job ended with exit code {future.result()}.{ending}"
        return Failed(numbers, True, reason)

    def close(self) -> None:
        """Cancel all jobs and remove all files."""
        for key in list(self._jobs):
            self.cancel(key)
        self._executor.shutdown(wait=False)
        shutil.rmtree(self._directory, ignore_errors=True)


class Manager:
    """Connects to the executor, and passes tasks and outcomes on until that has ended."""

    def __init__(self, settings: Settings, block_id: str) -> None:
        self._block_id = block_id
        directory = Path(settings.working_dir, f"block-{block_id}-{socket.gethostname()}-{os.getpid()}")
        directory.mkdir(mode=0o700, parents=True)
        self._wake_out, wake_in = os.pipe()
        self.jobs = Jobs(directory, json.loads(settings.flux_executor_kwargs), wake_in)
        self._context = ClientContext(settings.cert_dir)
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.linger = 1000
        self._socket.connect(_answering(settings.endpoints))
        self._heard_s = time.monotonic()

    def run(self) -> str:
        """Serve, and return why that has ended."""
        nodes, cores, gpus = self.jobs.size()
        host, version = socket.gethostname(), platform.python_version()
        self._send(Register(self._block_id, host, os.getpid(), version, VERSION, nodes, cores, gpus))
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._wake_out, zmq.POLLIN)
        next_beat_s = time.monotonic()
        while time.monotonic() - self._heard_s < SILENCE_LIMIT_S:
            if time.monotonic() >= next_beat_s:
                next_beat_s = time.monotonic() + HEARTBEAT_PERIOD_S
                self._send(Heartbeat())
            ready = dict(poller.poll(int(HEARTBEAT_PERIOD_S * 1000)))
            if self._wake_out in ready:
                os.read(self._wake_out, 4096)
            while self.jobs.ended:
                for message, outcomes in self.jobs.take_outcomes(self.jobs.ended.popleft()):
                    self._send(message, outcomes)
            if self._socket in ready and self._receive():
                return "the executor has ended"
        return f"the executor sent nothing for {SILENCE_LIMIT_S:g} s"

    def _send(self, message: FromBlock, payloads: Sequence[bytes] = ()) -> None:
        self._socket.send_multipart([encode(message), *payloads])

    def _receive(self) -> bool:
        """Handle messages that have arrived, some at a time; return whether to stop."""
        for _ in range(_MAX_MESSAGES):
            try:
                head, *payloads = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return False
            self._heard_s = time.monotonic()
            match decode_to_block(head):
                case Run() as run:
                    self._start(run, payloads)
                case Cancel(number):
                    self.jobs.cancel(number)
                case Stop():
                    return True
        return False

    def _start(self, run: Run, calls: Sequence[bytes]) -> None:
        try:
            self.jobs.submit(run, calls)
        except Exception as error:
            self._send(Failed(run.numbers, False, f"{type(error).__name__}: {error}"))

    def close(self) -> None:
        """Cancel all jobs and disconnect."""
        self.jobs.close()
        self._context.destroy()


def _note(text: str) -> None:
    """Write a line to the output of the block's job, which errors of blocks quote."""
    sys.stderr.write(f"{text}\n")


def _answering(endpoints: Sequence[str], limit_s: float = 5.0) -> str:
    """Return the first endpoint that accepts a connection, else the first one: it may answer later."""
    for endpoint in endpoints:
        host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=limit_s).close()
        except OSError:
            continue
        return endpoint
    return endpoints[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program of a block."""
    path, block_id = (sys.argv[1:] if arguments is None else arguments)[:2]
    settings = msgspec.json.decode(Path(path).read_bytes(), type=Settings)
    try:
        manager = Manager(settings, block_id)
    except ImportError as error:
        _note(f"Flux's Python module cannot be imported by {sys.executable}: {error}")
        return 1
    try:
        _note(f"block {block_id} ends: {manager.run()}")
    finally:
        manager.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
