"""The machines of a cloud, and what a cloud's module implements: the protocol :class:`Cloud`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from parsl.providers.api.failure import FailureKind
from parsl.vocabulary.findings import Finding, Topic

#: The tags of every machine. Their values consist of lower-case letters, digits and hyphens, so that they are
#: also valid as labels and names of all clouds.
RUN_TAG, BLOCK_TAG, NODE_TAG = "parsl-run", "parsl-block", "parsl-node"


def machine_name(block: str, node: int) -> str:
    """Return the name of a block's machine."""
    return f"{block}-{node}"


class MachineState(Enum):
    """The state of a machine, in terms that all clouds share."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPED = "stopped"  #: it runs nothing, but still exists, and costs money
    ENDED = "ended"  #: ended, or ending, which cannot be stopped


class End(Enum):
    """How a machine has ended."""

    REQUESTED = "requested"  #: a request to the service, of Parsl or of others, has terminated the machine
    RECLAIMED = "reclaimed"  #: the service has taken a spot or preemptible machine back
    ITSELF = "itself"  #: the machine has shut itself down: its command has ended, or its walltime was up
    FAULT = "fault"  #: the service could not start the machine, or has lost it


@dataclass(frozen=True)
class Machine:
    """What the service reports about a machine."""

    machine_id: str
    state: MachineState
    run: str
    block: str
    node: int = 0
    end: End | None = None  #: how it has ended; None before that, or if the service does not report it
    reason: str = ""  #: the service's words about the state
    #: When it was created, in seconds since the epoch; None if the service does not report it.
    created_s: float | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """The name with which it was requested."""
        return machine_name(self.block, self.node)


@dataclass(frozen=True)
class MachineSpec:
    """A machine to create."""

    run: str
    block: str
    node: int
    user_data: str  #: a bash script, which the machine runs as root when it has booted
    walltime_s: int  #: the machine ends by itself after this time; a service with a limit of its own sets it
    tags: Mapping[str, str] = field(default_factory=dict)  #: tags of the user

    @property
    def name(self) -> str:
        """A name that is unique in the account, of lower-case letters, digits and hyphens.

        It also identifies the request: the service creates no second machine if the request is repeated.
        """
        return machine_name(self.block, self.node)

    def all_tags(self) -> dict[str, str]:
        """Return the tags of the user and those by which Parsl finds the machine."""
        own = {RUN_TAG: self.run, BLOCK_TAG: self.block, NODE_TAG: str(self.node)}
        return {**self.tags, **own}


@dataclass(frozen=True)
class Created:
    """The service creates a machine."""

    machine_id: str


@dataclass(frozen=True)
class Refused:
    """The service does not create a machine."""

    kind: FailureKind
    message: str  #: in the service's own words


class Cloud(Protocol):
    """The calls of one service: everything that a new cloud has to implement.

    The methods may be called from any thread, one at a time. They raise
    :class:`~parsl.providers.api.failure.ServiceError` if the service gives no usable answer.
    """

    @property
    def service(self) -> str:
        """The name of the service, for messages."""

    def address(self) -> dict[str, str]:
        """Return what another process needs to reach the same account, without secrets.

        The module of the class has a function ``reach(address) -> Cloud``.
        """

    def check_access(self) -> list[Finding]:
        """Check within seconds whether the service answers, with these credentials and in this region.

        The findings with errors are the same as those of :meth:`check` about this.
        """

    def check(self) -> list[Finding]:
        """Check credentials, region, image, machine type, network, permissions and quota.

        Nothing is created. The errors contain the service's own words.
        """

    def create(self, specs: Sequence[MachineSpec]) -> list[Created | Refused]:
        """Create machines; return one answer for each, in their order."""

    def list_run(self, run: str) -> list[Machine]:
        """Return the machines with the tag of a run, of all pages, as far as the service still knows them."""

    def list_all_runs(self) -> list[Machine]:
        """Return the machines with the tag of any run that have not ended, of all pages."""

    def terminate(self, machine_ids: Sequence[str]) -> None:
        """Terminate machines. Those that have ended, or that the service does not know, are no error.

        Raises:
            ValueError: The list is empty; services take an empty list as "all". See :func:`checked_ids`.
        """

    def price_per_hour(self) -> float | None:
        """Return the price of one machine for an hour, in US dollars; None if it is unknown."""

    def console_output(self, machine_id: str) -> str:
        """Return the last lines that a machine has written to its console; empty if there are none."""


def checked_ids(machine_ids: Sequence[str]) -> list[str]:
    """Return the ids of machines without repetitions.

    Raises:
        ValueError: There are none, or one is empty: a service might take that as all machines.
    """
    if isinstance(machine_ids, str) or not machine_ids or not all(machine_ids):
        raise ValueError(f"the ids of machines are {machine_ids!r}; expected a list of at least one id")
    return list(dict.fromkeys(machine_ids))


def gpu_findings(topic: Topic, type_name: str, gpus: int) -> list[Finding]:
    """Return how the executor uses the GPUs of a type of machines; nothing if it has none."""
    if not gpus:
        return []
    advice = f"Set available_accelerators={gpus} in the executor, for one worker on each."
    return [topic.note(f"{type_name} has {gpus} GPU{'s' * (gpus > 1)}.", advice)]
