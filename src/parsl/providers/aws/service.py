"""The connection to EC2: its clients, its requests, and what all instances have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from parsl.providers.api.calls import Calls
from parsl.providers.api.rate_limit import TokenBucket
from parsl.providers.aws.failures import classify
from parsl.providers.aws.session import make_client, make_session

#: EC2 refills two requests per second to create instances, and more for others.
_RATE, _BURST = 5.0, 20


def tag_specifications(tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return tags of an instance and its volumes in EC2's form."""
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    return [{"ResourceType": kind, "Tags": pairs} for kind in ("instance", "volume")]


@dataclass(frozen=True)
class InstanceOptions:
    """What all instances of a provider have in common."""

    image_id: str = ""
    instance_type: str = ""
    key_name: str | None = None
    iam_instance_profile_arn: str = ""
    subnet_id: str | None = None
    security_group_ids: Sequence[str] = ()
    is_spot: bool = False
    spot_max_bid: float = 0.0
    tags: Mapping[str, str] = field(default_factory=dict)  #: those of the user, for the check of permissions

    def request(self) -> dict[str, Any]:
        """Return the parameters of RunInstances, without those of one machine."""
        request: dict[str, Any] = {
            "ImageId": self.image_id,
            "InstanceType": self.instance_type,
            "MinCount": 1,
            "MaxCount": 1,
            "InstanceInitiatedShutdownBehavior": "terminate",
            "MetadataOptions": {"HttpTokens": "required"},
            # A machine that EC2 has started again would run nothing, and cost money.
            "MaintenanceOptions": {"AutoRecovery": "disabled"},
        }
        optional = {
            "KeyName": self.key_name,
            "SubnetId": self.subnet_id,
            "SecurityGroupIds": list(self.security_group_ids),
            "IamInstanceProfile": {"Arn": arn} if (arn := self.iam_instance_profile_arn) else None,
            "InstanceMarketOptions": self._market(),
        }
        return {**request, **{name: value for name, value in optional.items() if value}}

    def _market(self) -> dict[str, Any] | None:
        if not self.is_spot:
            return None
        options = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
        if self.spot_max_bid:
            options["MaxPrice"] = str(self.spot_max_bid)
        return {"MarketType": "spot", "SpotOptions": options}


@dataclass
class Service:
    """EC2 in one region, with the credentials of one account."""

    region: str
    profile: str | None = None
    key_file: str | None = None
    options: InstanceOptions = field(default_factory=InstanceOptions)
    #: How many instances ``max_blocks`` blocks have, for the check of the quota.
    max_machines: int = 1
    nodes_per_block: int = 1
    service = "EC2"

    @cached_property
    def session(self) -> Any:
        return make_session(self.region, self.profile, self.key_file)

    @cached_property
    def client(self) -> Any:
        return make_client(self.session, "ec2", self.region)

    def other_client(self, service: str, region: str | None = None) -> Any:
        """Return a client of another service of AWS."""
        return make_client(self.session, service, region or self.region)

    @cached_property
    def calls(self) -> Calls:
        return Calls(self.service, classify, limit=TokenBucket(_RATE, _BURST))

    def address(self) -> dict[str, str]:
        """Return what another process needs to reach the same account."""
        given = {"region": self.region, "profile": self.profile, "key_file": self.key_file}
        return {name: value for name, value in given.items() if value}

    def request(
        self, name: str, method: Callable[..., Any], *, deadline_s: float | None = None, **parameters: Any
    ) -> Any:
        """Send a request, with retries; ``name`` is that of the service's documentation."""
        return self.calls.run(name, lambda: method(**parameters), deadline_s=deadline_s)
