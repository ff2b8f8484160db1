"""Checks of a configuration: each mistake is an error in the service's words, and nothing is created."""

from __future__ import annotations

from pathlib import Path

import pytest

import parsl
from parsl import Config
from parsl.errors import ConfigurationError, NoDataFlowKernelError
from parsl.executors import HighThroughputExecutor
from parsl.providers import GoogleCloudProvider
from parsl.providers.api.failure import Failure, FailureKind, ServiceError
from parsl.providers.googlecloud.checks import access_advice
from parsl.vocabulary.findings import ERROR, NOTE, OK, WARNING
from tests.support.clouds.google_compute import IMAGE_FAMILY, IMAGE_PROJECT, PROJECT, REGION, ZONES
from tests.support.clouds.google_server import Problem, server_error


@pytest.fixture
def make(google, key_file):
    def make(**changes):
        arguments = {
            "project_id": PROJECT,
            "key_file": key_file,
            "region": REGION,
            "os_project": IMAGE_PROJECT,
            "os_family": IMAGE_FAMILY,
            "api_endpoint": google.server.address,
        }
        return GoogleCloudProvider(**{**arguments, **changes})

    return make


def errors(provider):
    return [f"{one.text} {one.advice}" for one in provider.check() if one.level == ERROR]


def test_a_right_configuration_has_only_good_findings(google, make):
    findings = make().check()
    assert {finding.level for finding in findings} == {OK}
    assert len(findings) == 6
    assert google.inserted == []
    make().prepare("run")


@pytest.mark.parametrize(
    ("changes", "words", "advice"),
    [
        (
            {"project_id": "other"},
            "Required 'compute.zones.list' permission for 'projects/other'",
            "id of the",
        ),
        ({"region": "us-centrel1"}, "Unknown region", "similar ones are us-central1"),
        ({"region": "us-central1-a"}, "Invalid value for field 'region': 'us-central1-a'", "us-central1"),
        ({"zones": ["us-east1-b"]}, "zones has us-east1-b, but us-central1 has us-central1-a", "Name zones"),
        (
            {"os_family": "debian-99"},
            "'projects/debian-cloud/global/images/family/debian-99' was not found",
            "gcloud compute images list",
        ),
        ({"instance_type": "n1-huge"}, "machineTypes/n1-huge' was not found", "machine-types list"),
        (
            {"accelerators": {"nvidia-x": 1}},
            "acceleratorTypes/nvidia-x' was not found",
            "accelerators is 'nvidia-x'; `gcloud compute accelerator-types list` shows",
        ),
    ],
)
def test_mistakes_are_errors_at_load(google, make, changes, words, advice):
    (text,) = errors(make(**changes))
    assert words in text
    assert advice in text
    with pytest.raises(ConfigurationError) as caught:
        make(**changes).prepare("run")
    assert words in str(caught.value)
    assert google.inserted == []


@pytest.mark.parametrize(
    ("kind", "code", "message", "advice"),
    [
        (
            FailureKind.DENIED,
            "invalid credentials",
            "invalid_grant: Invalid JWT: Token must be short-lived and in a reasonable timeframe.",
            "clock of this host",
        ),
        (FailureKind.DENIED, "invalid credentials", "invalid_grant: Invalid JWT Signature.", "new key"),
        (FailureKind.TRANSIENT, "", "ServerNotFoundError: Unable to find the server", "HTTPS_PROXY"),
        (FailureKind.NOT_FOUND, "404 notFound", "The resource was not found", "'my-project'"),
        (FailureKind.PERMANENT, "400 invalid", "Invalid value", ""),
    ],
)
def test_advice_about_access(kind, code, message, advice):
    error = ServiceError("Google", "zones.list", Failure(kind, message, code))
    assert advice in access_advice(error, "my-project")
    assert bool(access_advice(error, "my-project")) == bool(advice)


def test_load_fails_with_the_services_words_and_leaves_nothing(google, make, tmp_path):
    executor = HighThroughputExecutor(provider=make(os_family="debian-99"), address="127.0.0.1")
    with pytest.raises(ConfigurationError, match=r"images/family/debian-99' was not found"):
        parsl.load(Config(executors=[executor], run_dir=str(tmp_path)))
    with pytest.raises(NoDataFlowKernelError):
        parsl.dfk()
    assert google.inserted == []


def test_a_key_that_was_revoked_is_an_error_at_load(google, make, tmp_path):
    path = google.server.write_key_file(tmp_path / "revoked.json", is_known=False)
    with pytest.raises(ConfigurationError, match=r"Invalid JWT Signature.*Make a new key"):
        make(key_file=path).prepare("run")


def test_a_service_that_is_not_enabled_is_an_error_with_the_services_advice(google, make):
    message = (
        "Compute Engine API has not been used in project 1 before or it is disabled. Enable it by visiting"
    )
    google.server.fail(Problem(403, "accessNotConfigured", message, domain="usageLimits"), "/zones$")
    (text,) = errors(make())
    assert message in text


def test_a_missing_permission_is_named_with_the_role_that_has_it(google, make):
    google.permissions -= {"compute.instances.create", "compute.disks.create"}
    (text,) = errors(make())
    assert "The account lacks compute.disks.create, compute.instances.create in my-project." in text
    assert "roles/compute.instanceAdmin.v1" in text


def test_a_permission_that_is_only_useful_is_a_note(google, make):
    google.permissions.discard("compute.zoneOperations.list")
    assert [finding.level for finding in make().check()][-1] == NOTE


def test_permissions_that_cannot_be_checked_are_a_note(google, make):
    google.server.fail(Problem(403, "accessNotConfigured", "is disabled"), "testIamPermissions")
    findings = make().check()
    assert findings[-1].level == NOTE
    assert "is disabled" in findings[-1].text
    assert errors(make()) == []


def test_others_can_read_the_key_file(make, key_file):
    Path(key_file).chmod(0o644)
    (found,) = [finding for finding in make().check() if finding.level == WARNING]
    assert "chmod 600" in found.advice


def test_a_quota_below_one_block_is_an_error_at_load(google, make):
    google.quotas["CPUS"] = 3
    with pytest.raises(ConfigurationError, match=r"Quota 'CPUS': limit 3, .* no block can ever start"):
        make(instance_type="n1-standard-4").prepare("run")


def test_a_quota_below_all_blocks_is_a_warning(google, make):
    google.quotas["CPUS"] = 3
    (found,) = [finding for finding in make(max_blocks=4).check() if finding.level == WARNING]
    assert "3 of max_blocks=4 can start now" in found.text


def test_only_zones_with_the_accelerators_are_used(google, make):
    provider = make(accelerators={"nvidia-tesla-t4": 1})
    provider.prepare("run")
    provider.submit("true", 1)
    (instance,) = google.instances.values()
    assert instance["zone"].endswith(ZONES[1])
    assert instance["guestAccelerators"][0]["acceleratorCount"] == 1


def test_a_service_that_fails_for_a_moment_does_not_matter(google, make):
    google.server.fail(server_error(), times=2)
    assert errors(make()) == []


def test_the_cost_of_all_blocks(make):
    provider = make(max_blocks=3, nodes_per_block=2)
    assert provider.hourly_cost() == pytest.approx(6 * 0.0475, abs=0.001)
    assert make(max_blocks=3, price_per_hour=2.0).hourly_cost() == 6.0
