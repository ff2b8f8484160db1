"""Compute Engine as a cloud: which machines a run has, how they end, and their deletion."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from parsl.providers.api.at_once import at_once
from parsl.providers.api.failure import FailureKind, ServiceError
from parsl.providers.googlecloud.checks import check, check_access
from parsl.providers.googlecloud.client import Access
from parsl.providers.googlecloud.creation import Creation, Creator
from parsl.providers.googlecloud.ends import STOPPED_STATES, end_of, machine_of
from parsl.providers.googlecloud.instance import Fleet, InstanceSettings, Json
from parsl.providers.googlecloud.prices import estimated_price
from parsl.providers.googlecloud.requests import SERVICE, Requests
from parsl.providers.googlecloud.zones import zones_of
from parsl.providers.machines.cloud import (
    RUN_TAG,
    Created,
    End,
    Machine,
    MachineSpec,
    MachineState,
    Refused,
    checked_ids,
)
from parsl.vocabulary.findings import Finding

logger = logging.getLogger(__name__)

#: The service may not list an instance that it has created more recently than this, in seconds.
_UNLISTED_S = 60.0
#: The service ends machines up to this long before or after their time is up here, in seconds.
_DEADLINE_MARGIN_S = 30.0
_MAX_CONSOLE_CHARS = 20_000
#: How long a request of a check may take with its repetitions, in seconds: a user waits for the answer.
_CHECK_DEADLINE_S = 15.0


class ComputeEngine:
    """Machines of a project in a region; the id of a machine is the name of its instance.

    A zone may turn out to be full after the service has accepted a request. The next listing then requests
    the machine in another zone, under the same name. The service keeps instances that have shut themselves
    down, and their disks cost money: a listing of the run deletes those that were created here, and remembers
    how they ended. Those of other processes count as running, until they are terminated.

    Args:
        access: Where the service is, and as which account to use it.
        fleet: The project, the region, the image and the machines.
        clock: Returns seconds on a monotonic clock.

    Raises:
        ConfigurationError: The credentials cannot be read.
        OptionalModuleMissing: The client library is not installed.
    """

    service = SERVICE

    def __init__(self, access: Access, fleet: Fleet, clock: Callable[[], float] = time.monotonic) -> None:
        self._access = access
        self._fleet = fleet
        self._clock = clock
        self._requests = Requests(access, fleet.project)
        self._creator = Creator(self._requests, fleet, clock)
        #: Machines that were requested, and are not listed as running yet.
        self._creations: dict[str, Creation] = {}
        #: When the time of each machine that was requested here is up.
        self._deadlines_s: dict[str, float] = {}
        #: Zone and number of each machine.
        self._places: dict[str, tuple[str, str]] = {}
        self._listed: dict[str, Machine] = {}
        self._ended: dict[str, Machine] = {}
        self._terminated: set[str] = set()
        self._consoles: dict[str, str] = {}

    def __repr__(self) -> str:
        known = f"{len(self._listed)} machines listed, {len(self._ended)} ended"
        return f"<ComputeEngine {self._fleet.project} {self._fleet.region}, {known}>"

    def address(self) -> dict[str, str]:
        """Return what another process needs to reach the same project, without secrets."""
        access = self._access
        address = {"project": self._fleet.project, "region": self._fleet.region, "version": access.version}
        if access.key_file is not None:
            address["key_file"] = access.key_file
        if access.api_endpoint is not None:
            address["api_endpoint"] = access.api_endpoint
        return address

    def check_access(self) -> list[Finding]:
        """Check whether the project can be used."""
        return check_access(self._requests.within(_CHECK_DEADLINE_S), self._fleet)

    def check(self) -> list[Finding]:
        """Check credentials, project, region, image, machine type, quota and permissions."""
        return check(self._requests.within(_CHECK_DEADLINE_S), self._fleet)

    def create(self, specs: Sequence[MachineSpec]) -> list[Created | Refused]:
        """Create machines; return one answer for each, in their order."""
        answers: list[Created | Refused] = []
        for spec in specs:
            creation = self._creator.create(spec)
            if isinstance(creation, Creation):
                self._requested(creation)
                answers.append(Created(spec.name))
            else:
                answers.append(creation)
        return answers

    def list_run(self, run: str) -> list[Machine]:
        """Return the machines of a run, also those that have ended since they were first listed."""
        instances = {str(one["name"]): one for one in self._requests.instances(f'labels.{RUN_TAG}="{run}"')}
        for name, instance in instances.items():
            self._observe(name, instance)
        for name in dict.fromkeys([*self._creations, *self._listed]):
            if name not in instances and name not in self._ended:
                self._follow(name)
        return [machine for machine in {**self._listed, **self._ended}.values() if machine.run == run]

    def list_all_runs(self) -> list[Machine]:
        """Return the machines of all runs of the project; also those that are stopped, as they cost money."""
        found = []
        for instance in self._requests.instances(f"labels.{RUN_TAG}:*"):
            machine = machine_of(instance)
            if instance["status"] in STOPPED_STATES:
                machine = _kept(machine)
            if machine.state is not MachineState.ENDED:
                found.append(machine)
        return found

    def terminate(self, machine_ids: Sequence[str]) -> None:
        """Delete machines; those that do not exist are no error."""
        names = checked_ids(machine_ids)
        self._terminated.update(names)
        self._find([name for name in names if name not in self._places])
        at_once(self._delete, names)

    def price_per_hour(self) -> float | None:
        """Return the list price of a machine for an hour, on demand (US dollars); None if it is unknown."""
        machines = self._fleet.machines
        try:
            zones = self._creator.zones().zones
            kind = self._requests.machine_type(zones[0], machines.machine_type) if zones else None
        except ServiceError as error:
            logger.debug("No machine type to estimate a price for: %s", error)
            kind = None
        if kind is None:
            return None
        cpus, memory_gb = int(kind["guestCpus"]), int(kind["memoryMb"]) / 1024
        return estimated_price(machines.machine_type, cpus, memory_gb, machines.accelerators)

    def console_output(self, machine_id: str) -> str:
        """Return the last lines on the serial console of a machine; empty if there are none."""
        if machine_id in self._consoles or machine_id not in self._places:
            return self._consoles.get(machine_id, "")
        try:
            text = self._requests.console(self._places[machine_id][0], machine_id)
        except ServiceError as error:
            logger.debug("No console of %s: %s", machine_id, error)
            return ""
        return text[-_MAX_CONSOLE_CHARS:]

    def zones_of(self, region: str) -> list[str]:
        """Return the names of the zones of a region that are up."""
        return zones_of(region, self._requests.zones())

    def _requested(self, creation: Creation) -> None:
        name = creation.spec.name
        self._creations[name] = creation
        self._deadlines_s[name] = self._clock() + creation.spec.walltime_s
        self._places[name] = (creation.zone, creation.instance_id)

    def _observe(self, name: str, instance: Json) -> None:
        """Record a listed instance. Delete it if it is stopped, or was terminated before it was visible."""
        machine, is_stopped = machine_of(instance), instance["status"] in STOPPED_STATES
        self._places[name] = (_last(instance["zone"]), str(instance["id"]))
        if machine.state is not MachineState.STARTING:
            self._creations.pop(name, None)
        if name in self._terminated:
            machine = replace(machine, state=MachineState.ENDED, end=End.REQUESTED)
            if instance["status"] != "STOPPING":
                self._delete(name)
        elif is_stopped and name not in self._deadlines_s:
            machine = _kept(machine)
        elif machine.state is MachineState.ENDED:
            machine = self._ended.get(name) or self._observe_end(machine, is_stopped)
            if is_stopped:
                self._delete(name)
        self._listed[name] = machine

    def _observe_end(self, machine: Machine, is_stopped: bool) -> Machine:
        """Return a listed machine that is ending as one that runs until the cause of its end is known."""
        name = machine.machine_id
        end, reason = self._end(name)
        if end is None and not is_stopped:
            return replace(machine, state=MachineState.RUNNING)
        self._consoles[name] = self.console_output(name)
        ended = replace(machine, end=end or End.ITSELF, reason=reason or machine.reason)
        self._ended[name] = ended
        return ended

    def _follow(self, name: str) -> None:
        """Find out what has become of a machine that is not listed."""
        if name not in self._creations:
            self._has_ended(self._listed[name], *self._end(name))
            return
        creation = self._creations[name]
        failure = self._creator.failure(creation)
        if failure is None:
            end, reason = self._end(name)
            if end is not None or self._clock() - creation.requested_s > _UNLISTED_S:
                self._has_ended(_starting(creation), end, reason)
            else:
                self._listed[name] = _starting(creation)
            return
        is_needed = name not in self._terminated
        another = self._creator.retry(creation, failure) if is_needed else None
        if isinstance(another, Creation):
            self._requested(another)
            self._listed[name] = _starting(another)
        else:
            self._has_ended(_starting(creation), End.FAULT, f"{failure.code}: {failure.message}")

    def _has_ended(self, machine: Machine, end: End | None, reason: str) -> None:
        name = machine.machine_id
        self._creations.pop(name, None)
        if name in self._terminated:
            end = End.REQUESTED
        elif end is None and self._clock() >= self._deadlines_s.get(name, float("inf")) - _DEADLINE_MARGIN_S:
            end, reason = End.ITSELF, "its time was up"
        self._ended[name] = replace(machine, state=MachineState.ENDED, end=end, reason=reason)

    def _end(self, name: str) -> tuple[End | None, str]:
        """Return how a machine has ended; nothing is known if the service does not answer."""
        zone, number = self._places[name]
        try:
            return end_of(number, self._requests.endings(zone, number))
        except ServiceError as error:
            logger.debug("No answer about the end of %s: %s", name, error)
            return None, ""

    def _find(self, names: list[str]) -> None:
        """Find the zones of machines that other processes have created."""
        for name in names:
            for instance in self._requests.instances(f'name="{name}"'):
                self._places[name] = (_last(instance["zone"]), str(instance["id"]))

    def _delete(self, name: str) -> None:
        if name not in self._places:
            return
        try:
            self._requests.delete(self._places[name][0], name)
        except ServiceError as error:
            if error.kind is not FailureKind.NOT_FOUND:
                raise


def reach(address: Mapping[str, str]) -> ComputeEngine:
    """Return the cloud of an address, to list and terminate its machines."""
    access = Access(address.get("key_file"), address["version"], address.get("api_endpoint"))
    machines = InstanceSettings(machine_type="", region=address["region"])
    return ComputeEngine(access, Fleet(address["project"], address["region"], "", "", machines))


def _kept(machine: Machine) -> Machine:
    """Return a stopped machine as one that is still to be terminated."""
    reason = f"{machine.reason}: its disk still costs money"
    return replace(machine, state=MachineState.RUNNING, reason=reason)


def _starting(creation: Creation) -> Machine:
    spec = creation.spec
    return Machine(spec.name, MachineState.STARTING, spec.run, spec.block, spec.node)


def _last(link: object) -> str:
    return str(link).rpartition("/")[2]
