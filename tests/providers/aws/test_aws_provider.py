"""AWSProvider: its parameters, and what it checks with EC2 before anything starts."""

from __future__ import annotations

import json
import sys

import pytest

import parsl
from parsl import Config
from parsl.errors import ConfigurationError, OptionalModuleMissing
from parsl.executors import HighThroughputExecutor
from parsl.providers import AWSProvider
from parsl.providers.aws.checks import quota_code
from parsl.providers.aws.prices import read_price
from parsl.validate import ParameterError
from parsl.vocabulary.findings import errors_of
from tests.support.clouds.ec2 import IMAGE, REGION


def make(**parameters):
    return AWSProvider(**{"image_id": IMAGE, "key_name": None, "region": REGION, **parameters})


def topics(findings, level):
    return {finding.topic: finding.text for finding in findings if finding.level == level}


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("image_id", ""),
        ("spot_max_bid", -1),
        ("walltime", "soon"),
        ("tags", {"parsl-run": "mine"}),
        ("tags", {"Name": "mine"}),
        ("tags", ["a"]),
        ("security_group_ids", "sg-1"),
        ("max_machine_hours", 0),
    ],
)
def test_wrong_parameters(parameter, value):
    with pytest.raises(ParameterError, match=f"AWSProvider: .*{parameter}"):
        make(**{parameter: value})


def test_without_the_library_the_error_has_the_line_to_type_and_the_reason(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    text = r"pip install 'parsl\[aws\]'\. The import failed: .*boto3"
    with pytest.raises(OptionalModuleMissing, match=text):
        make().check()


def test_a_configuration_that_works(ec2):
    findings = make().check()
    assert topics(findings, "error") == {}
    assert set(topics(findings, "ok")) == {
        "image", "instance type", "key pair", "network", "permission", "quota"
    }  # fmt: skip
    assert "RunInstances" in ec2.requests
    assert not ec2.instances()


def test_a_wrong_region_is_found_without_a_request(ec2):
    with pytest.raises(ConfigurationError, match=r"no region 'us-est-2'\. Close names: .*us-east-2"):
        make(region="us-est-2").prepare("run")
    assert ec2.requests == []


def refuse(ec2, action, code, message, status=400):
    ec2.fault = lambda requested: (status, code, message) if requested == action else None


def test_wrong_credentials(ec2):
    ec2.fault = lambda action: (401, "AuthFailure", "AWS was not able to validate the provided credentials")
    with pytest.raises(ConfigurationError, match="AuthFailure: AWS was not able to validate") as caught:
        make().prepare("run")
    assert "aws sts get-caller-identity" in str(caught.value)
    assert len(ec2.requests) == 1


def test_no_credentials(ec2, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(ConfigurationError, match="Unable to locate credentials"):
        make().prepare("run")


def test_an_unknown_profile(ec2):
    with pytest.raises(ConfigurationError, match=r"profile is 'work': .*could not be found"):
        make(profile="work").prepare("run")


def test_a_key_file(ec2, tmp_path):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"AWSAccessKeyId": "a", "AWSSecretKey": "b"}))
    assert topics(make(key_file=str(path)).check(), "error") == {}
    path.write_text("{}")
    with pytest.raises(ConfigurationError, match="cannot be used: KeyError"):
        make(key_file=str(path)).check()


def test_an_unknown_image(ec2):
    with pytest.raises(ConfigurationError, match=r"InvalidAMIID\.NotFound: .*ami-00000000"):
        make(image_id="ami-00000000").prepare("run")


def test_an_image_for_another_architecture(ec2):
    found = topics(make(instance_type="m6g.large").check(), "error")
    assert found == {"image": f"{IMAGE} is for x86_64, but the instance type is arm64."}


def test_an_unknown_instance_type(ec2):
    assert "t9.small" in topics(make(instance_type="t9.small").check(), "error")["instance type"]


def test_an_unknown_key_pair(ec2):
    assert "InvalidKeyPair.NotFound" in topics(make(key_name="lost").check(), "error")["key pair"]


def test_an_unknown_subnet(ec2):
    found = topics(make(subnet_id="subnet-00000000").check(), "error")
    assert "InvalidSubnetID.NotFound" in found["network"]


def test_no_default_network(ec2):
    refuse(ec2, "DescribeVpcs", "UnauthorizedOperation", "You are not authorized to perform this operation.")
    assert "not authorized" in topics(make().check(), "error")["network"]


def test_no_permission(ec2):
    words = "You are not authorized to perform this operation. User is not authorized: ec2:RunInstances"
    refuse(ec2, "RunInstances", "UnauthorizedOperation", words, 403)
    with pytest.raises(ConfigurationError, match="UnauthorizedOperation: You are not authorized"):
        make().prepare("run")


def test_a_quota_of_zero(ec2):
    ec2.vcpu_quota = 0.0
    with pytest.raises(ConfigurationError, match=r"allows 0 vCPUs, but a t2\.small has 1"):
        make().prepare("run")


def test_a_quota_below_the_blocks(ec2, caplog):
    ec2.vcpu_quota = 4.0
    make(max_blocks=10).prepare("run")
    assert "max_blocks needs 10" in caplog.text


def test_an_unknown_quota_is_no_error(ec2):
    refuse(ec2, "GetServiceQuota", "AccessDeniedException", "no permission")
    assert "no permission" in topics(make().check(), "note")["quota"]


def test_gpus_are_mentioned(ec2):
    assert "has 1 GPU." in topics(make(instance_type="g4dn.xlarge").check(), "note")["instance type"]


def test_the_cost(ec2):
    assert make(max_blocks=5).hourly_cost() == pytest.approx(0.1)
    assert make(max_blocks=5, spot_max_bid=0.01).hourly_cost() == pytest.approx(0.05)
    ec2.price = None
    assert make().hourly_cost() is None


def test_a_price_list_without_prices():
    assert read_price({"PriceList": []}) is None
    assert read_price({"PriceList": ["{}"]}) is None


@pytest.mark.parametrize(
    ("name", "is_spot", "code"),
    [
        ("t2.small", False, "L-1216C47A"),
        ("m6g.large", True, "L-34B43A08"),
        ("g5.xlarge", False, "L-DB2E81BA"),
        ("p4d.24xlarge", False, "L-417A185B"),
        ("vt1.3xlarge", True, "L-3819A6DF"),
        ("u-6tb1.metal", False, None),
        ("inf2.xlarge", False, None),
        ("trn1n.32xlarge", True, None),
        ("hpc7a.12xlarge", False, None),
        ("mac2-m2.metal", False, None),
        ("dl1.24xlarge", False, None),
        ("c7gn.large", False, "L-1216C47A"),
        ("gr6.4xlarge", False, "L-DB2E81BA"),
    ],
)
def test_quotas(name, is_spot, code):
    assert quota_code(name, is_spot=is_spot) == code


def test_a_quota_that_is_enough_for_a_machine_but_not_for_a_block(ec2):
    ec2.vcpu_quota = 3.0
    (error,) = errors_of(make(nodes_per_block=4).check())
    assert "a t2.small has 1, and a block needs 4" in error


@pytest.mark.parametrize(
    ("action", "level"),
    [("RunInstances", "error"), ("DescribeInstances", "error"), ("TerminateInstances", "warning")],
)
def test_a_missing_permission(ec2, action, level):
    denial = (403, "UnauthorizedOperation", "You are not authorized to perform this operation.")
    ec2.fault = lambda requested: denial if requested == action else None
    found = [one for one in make().check() if action in one.text]
    assert [one.level for one in found] == [level]


def test_a_wrong_configuration_is_an_error_at_load(ec2, tmp_path):
    executor = HighThroughputExecutor(provider=make(image_id="ami-00000000"), address="127.0.0.1")
    with pytest.raises(ConfigurationError, match=r"InvalidAMIID\.NotFound"):
        parsl.load(Config(executors=[executor], run_dir=str(tmp_path)))
    parsl.clear()
    assert "RunInstances" not in ec2.requests
