"""Checks of a configuration with EC2: nothing is created."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from parsl.providers.api.failure import FailureKind, ServiceError
from parsl.providers.aws.service import Service, tag_specifications
from parsl.providers.machines.cloud import BLOCK_TAG, RUN_TAG, gpu_findings
from parsl.vocabulary.findings import Finding, Topic

#: How long a check waits for an answer, with all attempts (seconds).
DEADLINE_S = 15.0
_ADVICE = {
    FailureKind.DENIED: "Check the credentials (`aws sts get-caller-identity`) and the policies of the user.",
    FailureKind.TRANSIENT: "Is this host connected to the internet, or to the VPC's endpoints?",
}
#: The answers to a request of which EC2 only checks whether it is allowed.
_ALLOWED = ("DryRunOperation", "InvalidInstanceID.NotFound")
#: An instance that does not exist.
_NO_INSTANCE = "i-00000000000000000"
#: The quotas of vCPUs by the letters before the first digit of the type: on demand, and spot. Other families
#: (inf, trn, hpc, dl, mac and so on) have quotas of their own, which are not checked.
_QUOTAS = {
    "p": ("L-417A185B", "L-7212CCBC"),
    "g": ("L-DB2E81BA", "L-3819A6DF"),
    "vt": ("L-DB2E81BA", "L-3819A6DF"),
    "gr": ("L-DB2E81BA", "L-3819A6DF"),
    **dict.fromkeys((*"acdhimrtz", "im", "is"), ("L-1216C47A", "L-34B43A08")),
}
_REGION, _ACCOUNT, _IMAGE, _TYPE = Topic("region"), Topic("account"), Topic("image"), Topic("instance type")
_KEY, _NETWORK, _PERMISSION, _QUOTA = Topic("key pair"), Topic("network"), Topic("permission"), Topic("quota")


class InstanceType(NamedTuple):
    """What an instance type has."""

    cpus: int
    gpus: int
    architectures: tuple[str, ...]


#: A request for machines of Parsl, as a check.
_OWN: dict[str, Any] = {"Filters": [{"Name": "tag-key", "Values": [RUN_TAG]}], "MaxResults": 5}


def check(service: Service) -> list[Finding]:
    """Check region, credentials, image, instance type, key pair, network, permissions and quota."""
    findings = _check_region(service)
    if findings:
        return findings
    image = _describe(service, _IMAGE, "DescribeImages", ImageIds=[service.options.image_id])
    if isinstance(image, Finding) and image.topic == _ACCOUNT.name:
        return [image]  # all other requests would fail for the same reason
    kind = _describe(service, _TYPE, "DescribeInstanceTypes", InstanceTypes=[service.options.instance_type])
    machine = instance_type(kind) if not isinstance(kind, Finding) else None
    findings = [_image_finding(image, machine), *_type_findings(service, kind, machine)]
    findings += [*_check_key(service), *_check_network(service), *_check_quota(service, machine)]
    # With an error so far, the request would only be refused for the same reason.
    has_error = any(finding.level == "error" for finding in findings)
    return findings if has_error else [*findings, *_check_permissions(service)]


def check_access(service: Service) -> list[Finding]:
    """Check region and credentials with the request that lists machines.

    Too high a rate of requests is no error, as it ends.
    """
    if findings := _check_region(service):
        return findings
    try:
        _request(service, "DescribeInstances", **_OWN)
    except ServiceError as error:
        return [] if error.kind is FailureKind.THROTTLED else [_finding(_PERMISSION, error)]
    return []


def _describe(service: Service, topic: Topic, name: str, **parameters: Any) -> Mapping[str, Any] | Finding:
    """Return an answer of EC2, or the finding that there is none."""
    try:
        return _request(service, name, **parameters)
    except ServiceError as error:
        return _finding(topic, error)


def _request(service: Service, name: str, **parameters: Any) -> Mapping[str, Any]:
    words = "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")
    method = getattr(service.client, words)
    answer: Mapping[str, Any] = service.request(name, method, deadline_s=DEADLINE_S, **parameters)
    return answer


def _finding(topic: Topic, error: ServiceError) -> Finding:
    is_general = error.kind in _ADVICE and error.failure.code != "UnauthorizedOperation"
    return (_ACCOUNT if is_general else topic).error(f"{error}", _advice(error))


def _advice(error: ServiceError) -> str:
    if error.failure.code == "NoCredentialsError":
        return "Run `aws configure`, or pass profile."
    return _ADVICE.get(error.kind, "")


def _check_region(service: Service) -> list[Finding]:
    """Check the name of the region: a wrong one looks like a lost network."""
    partitions = service.session.get_available_partitions()
    regions = [region for name in partitions for region in service.session.get_available_regions("ec2", name)]
    if service.region in regions:
        return []
    close = get_close_matches(service.region, regions, 3)
    other = "Write the region of your machines, such as 'us-east-2'; a newer boto3 may know more regions."
    advice = f"Close names: {', '.join(close)}." if close else other
    return [_REGION.error(f"boto3 knows no region {service.region!r}.", advice)]


def _image_finding(image: Mapping[str, Any] | Finding, machine: InstanceType | None) -> Finding:
    if isinstance(image, Finding):
        return image
    if not image["Images"]:
        return _IMAGE.error("EC2 shows no such image to this account.", "Images belong to one region.")
    (facts,) = image["Images"]
    name, architecture = facts["ImageId"], facts.get("Architecture", "")
    if facts.get("State") != "available":
        return _IMAGE.error(f"{name} is {facts.get('State')}: it cannot be started.")
    if machine and machine.architectures and architecture not in machine.architectures:
        allowed = " or ".join(machine.architectures)
        return _IMAGE.error(f"{name} is for {architecture}, but the instance type is {allowed}.")
    return _IMAGE.ok(f"{name} exists: {facts.get('Name', '')} ({architecture})")


def instance_type(answer: Mapping[str, Any]) -> InstanceType | None:
    """Read the answer of DescribeInstanceTypes; None if there is no such type."""
    if not answer["InstanceTypes"]:
        return None
    (facts,) = answer["InstanceTypes"]
    gpus = sum(int(gpu.get("Count", 0)) for gpu in facts.get("GpuInfo", {}).get("Gpus", []))
    architectures = tuple(facts.get("ProcessorInfo", {}).get("SupportedArchitectures", ()))
    return InstanceType(int(facts.get("VCpuInfo", {}).get("DefaultVCpus", 0)), gpus, architectures)


def _type_findings(
    service: Service, answer: Mapping[str, Any] | Finding, machine: InstanceType | None
) -> list[Finding]:
    name = service.options.instance_type
    if isinstance(answer, Finding):
        return [answer]
    if machine is None:
        return [_TYPE.error(f"EC2 offers no {name!r} in {service.region}.")]
    return [_TYPE.ok(f"{name} has {machine.cpus} vCPUs"), *gpu_findings(_TYPE, name, machine.gpus)]


def _check_key(service: Service) -> list[Finding]:
    name = service.options.key_name
    if not name:
        return [_KEY.ok("none: machines need no ssh")]
    answer = _describe(service, _KEY, "DescribeKeyPairs", KeyNames=[name])
    if isinstance(answer, Finding):
        return [answer._replace(advice="With key_name=None, machines have no key; Parsl needs none.")]
    return [_KEY.ok(f"{name} exists")]


def _check_network(service: Service) -> list[Finding]:
    subnet = service.options.subnet_id
    if subnet:
        answer = _describe(service, _NETWORK, "DescribeSubnets", SubnetIds=[subnet])
        return [answer if isinstance(answer, Finding) else _NETWORK.ok(f"{subnet} exists")]
    default = [{"Name": "is-default", "Values": ["true"]}]
    answer = _describe(service, _NETWORK, "DescribeVpcs", Filters=default)
    if isinstance(answer, Finding):
        return [answer]
    if not answer["Vpcs"]:
        text = f"the account has no default VPC in {service.region}."
        return [_NETWORK.error(text, "Set subnet_id, or run `aws ec2 create-default-vpc`.")]
    return [_NETWORK.ok("machines start in the default VPC")]


def _check_permissions(service: Service) -> list[Finding]:
    """Let EC2 check the requests for a machine, without making one."""
    tags = tag_specifications({**dict.fromkeys((RUN_TAG, BLOCK_TAG), "check"), **service.options.tags})
    request = {**service.options.request(), "TagSpecifications": tags}
    created = _describe(service, _PERMISSION, "RunInstances", **request, DryRun=True)
    listed = _describe(service, _PERMISSION, "DescribeInstances", **_OWN)
    ended = _describe(service, _PERMISSION, "TerminateInstances", InstanceIds=[_NO_INSTANCE], DryRun=True)
    if isinstance(ended, Finding):  # a policy may allow it for machines with the tag only
        ended = _PERMISSION.warning(
            ended.text, f"Allow it for all machines, or those with the tag {RUN_TAG}."
        )
    refusals = [answer for answer in (created, listed, ended) if isinstance(answer, Finding)]
    found = [answer for answer in refusals if not any(f"{code}:" in answer.text for code in _ALLOWED)]
    return found or [_PERMISSION.ok("EC2 would start this machine (RunInstances with DryRun) and end it")]


def quota_code(name: str, *, is_spot: bool) -> str | None:
    """Return the code of the quota that counts the vCPUs of an instance type; None if it is not known."""
    letters = re.match("[a-z]*", name.partition(".")[0].lower())
    codes = _QUOTAS.get(letters[0] if letters else "")
    return codes[is_spot] if codes else None


def _check_quota(service: Service, machine: InstanceType | None) -> list[Finding]:
    code = quota_code(service.options.instance_type, is_spot=service.options.is_spot)
    if machine is None or not machine.cpus or code is None:
        return []
    try:
        client: Any = service.other_client("service-quotas")
        get: Callable[..., Any] = client.get_service_quota
        answer = service.request(
            "GetServiceQuota", get, deadline_s=DEADLINE_S, ServiceCode="ec2", QuotaCode=code
        )
    except ServiceError as error:
        return [_QUOTA.note(f"it is unknown: {error}")]
    return [quota_finding(answer["Quota"]["QuotaName"], answer["Quota"]["Value"], machine.cpus, service)]


def quota_finding(name: str, cpus_allowed: float, cpus: int, service: Service) -> Finding:
    """Compare the vCPUs of the machines with a quota."""
    allows = f"the quota {name!r} allows {cpus_allowed:g} vCPUs"
    each = f"a {service.options.instance_type} has {cpus}"
    needed = cpus * service.nodes_per_block
    if cpus_allowed < needed:
        block = "" if service.nodes_per_block == 1 else f", and a block needs {needed}"
        advice = "Request more in the console, under Service Quotas."
        return _QUOTA.error(f"{allows}, but {each}{block}.", advice)
    if cpus_allowed < cpus * service.max_machines:
        return _QUOTA.warning(f"{allows}, and {each}: max_blocks needs {cpus * service.max_machines}.")
    return _QUOTA.ok(f"{allows}: enough for max_blocks, not counting what already runs in the account")
