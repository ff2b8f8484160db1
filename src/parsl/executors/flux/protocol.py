"""The messages between the executor and the program in each block. Calls and results are bytes to both."""

from __future__ import annotations

import platform
from typing import TypeAlias

import msgspec

from parsl.version import VERSION

#: How often each side sends a message, at least, in seconds.
HEARTBEAT_PERIOD_S = 5.0
#: After this silence, in seconds, a side is lost.
SILENCE_LIMIT_S = 60.0
#: The name of the file with everything that a block's program needs, in the executor's directory.
SETTINGS_FILE = "flux-block.json"


class Settings(msgspec.Struct):
    """What the program in a block needs to connect."""

    #: Where the executor may be reached, the most likely address first.
    endpoints: list[str]
    #: The directory of the keys, which only the owner can enter.
    cert_dir: str
    #: For the files of jobs; all nodes of a block must see it.
    working_dir: str
    #: Keyword arguments of ``flux.job.FluxExecutor``, as JSON.
    flux_executor_kwargs: str


class Shape(msgspec.Struct, array_like=True, frozen=True):
    """What a job requests of Flux."""

    num_tasks: int = 1
    cores_per_task: int = 1
    gpus_per_task: int = 0
    #: 0 if Flux may choose.
    num_nodes: int = 0

    @property
    def cores(self) -> int:
        """How many cores all tasks of the job need."""
        return self.num_tasks * self.cores_per_task

    @property
    def gpus(self) -> int:
        """How many GPUs all tasks of the job need."""
        return self.num_tasks * self.gpus_per_task


class Register(msgspec.Struct, tag=True, array_like=True):
    """The first message of a block's program."""

    block_id: str
    host: str
    pid: int
    python_version: str
    parsl_version: str
    #: What its Flux instance has; 0 if unknown.
    nodes: int = 0
    cores: int = 0
    gpus: int = 0


def mismatch(facts: Register) -> str:
    """Return why a block's program does not fit this process; empty if it does.

    The versions of Parsl have to be the same, and those of Python but for the patch release.
    """
    python = platform.python_version()
    if facts.parsl_version == VERSION and facts.python_version.split(".")[:2] == python.split(".")[:2]:
        return ""
    return (
        f"block {facts.block_id} on {facts.host} runs Parsl {facts.parsl_version} on Python "
        f"{facts.python_version}, the driver Parsl {VERSION} on Python {python}. Start both from the same "
        "environment: check launch_cmd and the provider's worker_init"
    )


class Heartbeat(msgspec.Struct, tag=True, array_like=True):
    """Proves that the sender is alive."""


class Run(msgspec.Struct, tag=True, array_like=True):
    """Start a job that runs tasks, one after another. Their calls are the next frames."""

    numbers: list[int]
    shape: Shape


class Cancel(msgspec.Struct, tag=True, array_like=True):
    """Cancel a task, whether it waits or runs."""

    number: int


class Stop(msgspec.Struct, tag=True, array_like=True):
    """Cancel all jobs and exit."""


class Done(msgspec.Struct, tag=True, array_like=True):
    """Tasks have ended. Their outcomes are the next frames."""

    numbers: list[int]


class Failed(msgspec.Struct, tag=True, array_like=True):
    """A job has ended without the outcomes of tasks."""

    numbers: list[int]
    #: Whether the job had started: then its process was lost; otherwise Flux has refused the job.
    had_started: bool
    reason: str


class NotStarted(msgspec.Struct, tag=True, array_like=True):
    """A job has ended before it has started some of its tasks."""

    numbers: list[int]


FromBlock: TypeAlias = Register | Heartbeat | Done | Failed | NotStarted
ToBlock: TypeAlias = Heartbeat | Run | Cancel | Stop

encode = msgspec.msgpack.Encoder().encode
decode_from_block = msgspec.msgpack.Decoder(FromBlock).decode
decode_to_block = msgspec.msgpack.Decoder(ToBlock).decode
