"""The calls of Azure: machines of one resource group."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from parsl.providers.api.at_once import at_once
from parsl.providers.api.calls import Calls, pages
from parsl.providers.api.failure import FailureKind, ServiceError
from parsl.providers.api.rate_limit import TokenBucket
from parsl.providers.azure.access import Access, Address
from parsl.providers.azure.checks import Checks
from parsl.providers.azure.failures import classify
from parsl.providers.azure.machine_request import Ground, Plan, machine_request
from parsl.providers.azure.machine_states import DELETED, Observation, Status, gone, needs_view, observe
from parsl.providers.azure.network import Network
from parsl.providers.azure.prices import fetch_price
from parsl.providers.azure.public_keys import fetch_public_key, throwaway_public_key
from parsl.providers.azure.self_deletion import with_self_deletion
from parsl.providers.machines.block_status import WALLTIME_MARGIN_S
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
from parsl.providers.machines.tags import tagged_machine
from parsl.vocabulary.findings import Finding

if TYPE_CHECKING:
    from azure.mgmt.compute.models import VirtualMachine

logger = logging.getLogger(__name__)

#: Requests per second, and at once after a pause.
_RATE, _BURST = 10.0, 100
#: How long a request of a check may take with its repetitions, in seconds: a user waits for the answer.
_CHECK_DEADLINE_S = 15.0
_CONSOLE_TIMEOUT_S = 20.0
_MAX_CONSOLE_BYTES = 65536


class AzureCloud:
    """Implements :class:`parsl.providers.machines.cloud.Cloud` for Azure. The id of a machine is its name.

    A machine that has shut itself down is billed until it is deleted, and one that could not be placed stays
    in the list. So :meth:`list_run` deletes such machines when it finds them. They and all others that have
    disappeared remain in its answers, with what is known about their end.

    Args:
        address: Where the machines are.
        plan: What machines to create; None for a process that only deletes them.
        clock: Returns seconds on a monotonic clock.

    Raises:
        ConfigurationError: The key file cannot be used, or no subscription is named.
    """

    service = "Azure"

    def __init__(
        self, address: Address, plan: Plan | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._address = address
        self._given_plan = plan
        self._clock = clock
        self._access = Access(address)
        self._calls = Calls(self.service, classify, limit=TokenBucket(_RATE, _BURST))
        #: The machines that this process has created or seen, as they were last.
        self._seen: dict[str, Machine] = {}
        #: When the walltime of each machine that was created here is up.
        self._deadlines_s: dict[str, float] = {}
        #: The consoles of machines that have ended, read before the machines were deleted.
        self._consoles: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<AzureCloud {self._address.group_name}, {len(self._seen)} machines seen>"

    @property
    def _plan(self) -> Plan:
        if self._given_plan is None:
            raise RuntimeError("this process only deletes machines: it has no plan for new ones")
        return self._given_plan

    def _network(self, calls: Calls) -> Network:
        plan = self._plan
        return Network(self._access, calls, plan.location, plan.vnet_name, plan.subnet)

    @cached_property
    def _ground(self) -> Ground:
        """What machines need, made when the first one is created."""
        subnet_id, name = self._network(self._calls).ensure_subnet(), self._plan.key_name
        if name is not None:
            return Ground(subnet_id, fetch_public_key(self._access, self._calls, name))
        return Ground(subnet_id, None if self._plan.vm.password else throwaway_public_key())

    def address(self) -> dict[str, str]:
        """Return what another process needs to reach the machines, without secrets."""
        return {**self._address.as_text(), "subscription_id": self._access.subscription_id}

    def check_access(self) -> list[Finding]:
        """Check whether the subscription can be used; the finding shows whether the group exists."""
        return self._checks().check_access()

    def check(self) -> list[Finding]:
        """Check the subscription, network, image, size, permissions and quota; nothing is made."""
        return self._checks().run()

    def _checks(self) -> Checks:
        calls = Calls(self.service, classify, deadline_s=_CHECK_DEADLINE_S)
        return Checks(self._access, calls, self._plan, self._network(calls))

    def create(self, specs: Sequence[MachineSpec]) -> list[Created | Refused]:
        """Request machines, several at the same time; return one answer for each, in their order."""
        ground = self._ground
        return at_once(lambda spec: self._create(spec, ground), specs)

    def _create(self, spec: MachineSpec, ground: Ground) -> Created | Refused:
        script, identity = spec.user_data, self._plan.identity
        if identity is not None:
            script = with_self_deletion(script, identity, self._address.endpoint)
        body: Any = machine_request(self._plan, ground, spec.name, script, spec.all_tags())
        machines, group = self._access.compute.virtual_machines, self._address.group_name
        self._deadlines_s[spec.name] = self._clock() + spec.walltime_s
        self._seen[spec.name] = Machine(spec.name, MachineState.STARTING, spec.run, spec.block, spec.node)
        try:
            self._calls.run(
                "virtualMachines/write",
                lambda: machines.begin_create_or_update(group, spec.name, body, polling=False),
            )
        except ServiceError as error:
            self._forget_refused(spec.name, error)
            return Refused(error.kind, str(error))
        return Created(spec.name)

    def _forget_refused(self, name: str, refusal: ServiceError) -> None:
        """Forget a machine that was not created, unless it may have been: then later listings include it."""
        if refusal.kind is FailureKind.TRANSIENT and (error := self._delete(name)):
            logger.error("%s may have been created, and could not be deleted: %s", name, error)
        else:
            del self._seen[name]

    def list_run(self, run: str) -> list[Machine]:
        """Return the machines of a run, those included that this process has seen and that are gone.

        Machines that have ended, and would be billed or stay in the list, are deleted.
        """
        found = self._find(lambda tags: tags.get(RUN_TAG) == run)
        self._remember_gone(run, found)
        self._remember(found)
        ended = [one for one in found.values() if _is_kept(one)]
        if ended:
            self._delete_ended(ended)
        return [machine for machine in self._seen.values() if machine.run == run]

    def list_all_runs(self) -> list[Machine]:
        """Return the machines of any run that exist; each is billed, also one that has shut itself down."""
        found = self._find(lambda tags: RUN_TAG in tags)
        return [_existing(machine) for machine in found.values() if _is_kept(machine) or machine.end is None]

    def terminate(self, machine_ids: Sequence[str]) -> None:
        """Delete machines with their disks and interfaces; those that do not exist are no error.

        Raises:
            ValueError: The list is empty, or an id is.
            ServiceError: A request failed; the others were sent.
        """
        errors = [error for error in at_once(self._delete, checked_ids(machine_ids)) if error]
        if errors:
            raise errors[0]

    def price_per_hour(self) -> float | None:
        """Return the price of one machine for an hour, without its disk, from the public list of prices."""
        plan = self._plan
        return fetch_price(plan.vm.vm_size, plan.location, plan.is_spot)

    def console_output(self, machine_id: str) -> str:
        """Return the end of a machine's console; also of a machine that :meth:`list_run` has deleted."""
        return self._consoles.get(machine_id) or self._read_console(machine_id)

    def _find(self, is_chosen: Callable[[Mapping[str, str]], bool]) -> dict[str, Machine]:
        chosen = [machine for machine in self._list() if is_chosen(machine.tags or {})]
        observed = at_once(self._observe, chosen)
        return {
            str(machine.name): tagged_machine(
                str(machine.name),
                observation.state,
                machine.tags or {},
                end=observation.end,
                reason=observation.reason,
                created=machine.time_created,
            )
            for machine, observation in zip(chosen, observed, strict=True)
            if observation is not None
        }

    def _list(self) -> Iterator[VirtualMachine]:
        machines, group = self._access.compute.virtual_machines, self._address.group_name

        def fetch(token: str | None) -> tuple[Iterable[VirtualMachine], str | None]:
            pager: Any = machines.list(group).by_page(token)
            page = list(next(pager, ()))
            return page, pager.continuation_token

        try:
            yield from pages(lambda token: self._calls.run("virtualMachines/list", lambda: fetch(token)))
        except ServiceError as error:
            if error.failure.code != "ResourceGroupNotFound":
                raise

    def _observe(self, machine: VirtualMachine) -> Observation | None:
        """Return the state of a listed machine; None if it has gone in the meantime."""
        state, name = machine.provisioning_state or "", str(machine.name)
        if not needs_view(state):
            return observe(state)
        statuses = self._view(name)
        return None if statuses is None else observe(state, statuses)

    def _view(self, name: str) -> list[Status] | None:
        machines, group = self._access.compute.virtual_machines, self._address.group_name
        try:
            view = self._calls.run(
                "virtualMachines/instanceView", lambda: machines.instance_view(group, name)
            )
        except ServiceError as error:
            if error.kind is FailureKind.NOT_FOUND:
                return None
            raise
        return [Status(one.code or "", one.message or "") for one in view.statuses or ()]

    def _remember(self, found: Mapping[str, Machine]) -> None:
        """Keep what is known about machines; how one has ended does not change while it is being deleted."""
        for name, machine in found.items():
            known = self._seen.get(name)
            if known is None or known.state is not MachineState.ENDED or machine.state is not known.state:
                self._seen[name] = machine

    def _remember_gone(self, run: str, found: Mapping[str, Machine]) -> None:
        for name, machine in list(self._seen.items()):
            if machine.run != run or name in found or machine.state is MachineState.ENDED:
                continue
            if self._view(name) is None:  # a list may lack a machine that was created a moment ago
                self._seen[name] = _ended(machine, self._how_gone(name))

    def _how_gone(self, name: str) -> Observation:
        plan = self._given_plan
        is_walltime = self._clock() >= self._deadlines_s.get(name, inf) - WALLTIME_MARGIN_S
        return gone(
            plan is not None and plan.is_spot, plan is not None and plan.identity is not None, is_walltime
        )

    def _delete_ended(self, ended: Sequence[Machine]) -> None:
        for machine in ended:
            if machine.end is End.ITSELF:
                self._consoles[machine.machine_id] = self._read_console(machine.machine_id)
        names = [machine.machine_id for machine in ended]
        logger.info("Deleting machines that have ended, but exist: %s", ", ".join(names))
        for machine, error in zip(ended, at_once(self._delete, names), strict=True):
            if error is not None:
                logger.warning("%s has ended, but could not be deleted yet: %s", machine.machine_id, error)

    def _delete(self, name: str) -> ServiceError | None:
        machines, group = self._access.compute.virtual_machines, self._address.group_name
        try:
            self._calls.run(
                "virtualMachines/delete",
                lambda: machines.begin_delete(group, name, force_deletion=True, polling=False),
            )
        except ServiceError as error:
            if error.kind is not FailureKind.NOT_FOUND:
                return error
        machine = self._seen.get(name)
        if machine is not None and machine.state is MachineState.STOPPED:
            self._seen[name] = replace(machine, state=MachineState.ENDED)
        elif machine is not None and machine.state is not MachineState.ENDED:
            self._seen[name] = _ended(machine, DELETED)
        return None

    def _read_console(self, name: str) -> str:
        machines, group = self._access.compute.virtual_machines, self._address.group_name
        try:
            result = self._calls.run(
                "virtualMachines/retrieveBootDiagnosticsData",
                lambda: machines.retrieve_boot_diagnostics_data(group, name),
            )
            if not result.serial_console_log_blob_uri:
                return ""
            with urlopen(result.serial_console_log_blob_uri, timeout=_CONSOLE_TIMEOUT_S) as response:
                return str(response.read()[-_MAX_CONSOLE_BYTES:].decode(errors="replace"))
        except (ServiceError, OSError) as error:
            logger.info("The console of %s cannot be read: %s", name, error)
            return ""


def reach(address: Mapping[str, str]) -> AzureCloud:
    """Return the machines at an address that :meth:`AzureCloud.address` has returned."""
    return AzureCloud(Address(**address))


def _ended(machine: Machine, how: Observation) -> Machine:
    return replace(machine, state=how.state, end=how.end, reason=how.reason)


def _is_kept(machine: Machine) -> bool:
    """Return whether Azure keeps, and bills, a listed machine that does not run."""
    return machine.state is MachineState.STOPPED or machine.end in (End.ITSELF, End.FAULT)


def _existing(machine: Machine) -> Machine:
    """Return a machine that exists as one that has not ended."""
    if not _is_kept(machine):
        return machine
    return replace(machine, state=MachineState.RUNNING, end=None, reason=f"{machine.reason}: delete it")
