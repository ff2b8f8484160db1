"""The calls of Amazon EC2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from parsl.providers.api.calls import pages
from parsl.providers.api.failure import FailureKind, ServiceError
from parsl.providers.aws import checks, prices
from parsl.providers.aws.service import Service, tag_specifications
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

_PAGE_SIZE = 1000
_MAX_TERMINATED_AT_ONCE = 200

STATES = {
    "pending": MachineState.STARTING,
    "running": MachineState.RUNNING,
    "stopping": MachineState.STOPPED,
    "stopped": MachineState.STOPPED,
    "shutting-down": MachineState.ENDED,
    "terminated": MachineState.ENDED,
}
#: The ends by the code of the state's reason. Other codes of the service or of the client are faults.
ENDS = {
    "Client.InstanceInitiatedShutdown": End.ITSELF,
    "Client.UserInitiatedHibernate": End.REQUESTED,
    "Client.UserInitiatedShutdown": End.REQUESTED,
    "Server.ScheduledStop": End.RECLAIMED,
    "Server.SpotInstanceShutdown": End.RECLAIMED,
    "Server.SpotInstanceStop": End.RECLAIMED,
    "Server.SpotInstanceTermination": End.RECLAIMED,
}


class Ec2(Service):
    """EC2 in one region, with the credentials of one account. Implements ``Cloud``."""

    def check_access(self) -> list[Finding]:
        return checks.check_access(self)

    def check(self) -> list[Finding]:
        return checks.check(self)

    def price_per_hour(self) -> float | None:
        return prices.price_per_hour(self)

    def create(self, specs: Sequence[MachineSpec]) -> list[Created | Refused]:
        answers: list[Created | Refused] = []
        for spec in specs:
            try:
                answers.append(self._create_one(spec))
            except ServiceError as error:
                refused = Refused(error.kind, f"{error.failure.code}: {error.failure.message}")
                return [*answers, *[refused] * (len(specs) - len(answers))]
        return answers

    def _create_one(self, spec: MachineSpec) -> Created:
        answer = self.request(
            "RunInstances",
            self.client.run_instances,
            **self.options.request(),
            UserData=spec.user_data,
            ClientToken=spec.name,
            TagSpecifications=tag_specifications({"Name": spec.name, **spec.all_tags()}),
        )
        return Created(answer["Instances"][0]["InstanceId"])

    def list_run(self, run: str) -> list[Machine]:
        return self._list({"Name": f"tag:{RUN_TAG}", "Values": [run]})

    def list_all_runs(self) -> list[Machine]:
        live = [name for name, state in STATES.items() if state is not MachineState.ENDED]
        return self._list(
            {"Name": "tag-key", "Values": [RUN_TAG]}, {"Name": "instance-state-name", "Values": live}
        )

    def _list(self, *filters: Mapping[str, object]) -> list[Machine]:
        def fetch(token: str | None) -> tuple[list[Machine], str | None]:
            following: dict[str, Any] = {"NextToken": token} if token else {}
            answer = self.request(
                "DescribeInstances", self.client.describe_instances,
                Filters=list(filters), MaxResults=_PAGE_SIZE, **following,
            )  # fmt: skip
            instances = [one for group in answer["Reservations"] for one in group["Instances"]]
            return [as_machine(instance) for instance in instances], answer.get("NextToken")

        return list(pages(fetch))

    def terminate(self, machine_ids: Sequence[str]) -> None:
        ids = checked_ids(machine_ids)
        for first in range(0, len(ids), _MAX_TERMINATED_AT_ONCE):
            self._terminate(ids[first : first + _MAX_TERMINATED_AT_ONCE])

    def _terminate(self, ids: list[str]) -> None:
        try:
            self.request("TerminateInstances", self.client.terminate_instances, InstanceIds=ids)
        except ServiceError as error:
            if error.kind is not FailureKind.NOT_FOUND:
                raise
            # One unknown instance makes EC2 refuse the request for all.
            for machine_id in ids if len(ids) > 1 else []:
                self._terminate([machine_id])

    def console_output(self, machine_id: str) -> str:
        answer = self.request(
            "GetConsoleOutput", self.client.get_console_output, InstanceId=machine_id, Latest=False
        )
        return str(answer.get("Output", ""))


def reach(address: Mapping[str, str]) -> Ec2:
    """Return EC2 at an address: region, and profile or key_file."""
    return Ec2(**address)  # type: ignore[arg-type]


def as_machine(instance: Mapping[str, Any]) -> Machine:
    """Read an instance of EC2's answer."""
    tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
    state = STATES.get(instance["State"]["Name"], MachineState.STARTING)
    reason = instance.get("StateReason") or {}
    has_ended = state in (MachineState.ENDED, MachineState.STOPPED)
    return tagged_machine(
        instance["InstanceId"],
        state,
        tags,
        end=end_of(str(reason.get("Code", ""))) if has_ended else None,
        reason=str(reason.get("Message", "")),
        created=instance.get("LaunchTime"),
    )


def end_of(code: str) -> End | None:
    """Return how an instance has ended, by the code of its state's reason."""
    if (end := ENDS.get(code)) is not None:
        return end
    return End.FAULT if code.startswith(("Server.", "Client.")) else None
