"""The provider's parameters, and what it does beyond the base of providers of machines."""

from __future__ import annotations

import os
import subprocess
import sys
from inspect import Parameter, signature

import pytest

import parsl.providers
from parsl.errors import ConfigurationError, OptionalModuleMissing
from parsl.providers import GoogleCloudProvider
from parsl.vocabulary.job_states import JobState
from parsl.vocabulary.provider_errors import SubmitException
from tests.support.clouds.google_compute import IMAGE_FAMILY, IMAGE_PROJECT, PROJECT, REGION, ZONES

REQUIRED = ("my-project", "key.json", "us-central1", "debian-cloud", "debian-12")


@pytest.fixture
def provider(google, key_file):
    provider = GoogleCloudProvider(
        PROJECT, key_file, REGION, IMAGE_PROJECT, IMAGE_FAMILY, api_endpoint=google.server.address
    )
    provider.prepare("run")
    yield provider
    provider.close()


def test_upstreams_parameters_come_first_with_its_defaults():
    parameters = signature(GoogleCloudProvider).parameters.values()
    upstream = [one for one in parameters if one.kind is Parameter.POSITIONAL_OR_KEYWORD]
    assert ", ".join(str(one.name) for one in upstream) == (
        "project_id, key_file, region, os_project, os_family, google_version, instance_type, init_blocks, "
        "min_blocks, max_blocks, launcher, parallelism"
    )
    assert [repr(one.default) for one in upstream[5:]] == [
        "'v1'", "'n1-standard-1'", "1", "0", "10", "SingleNodeLauncher(debug=True, fail_on_any=False)", "1",
    ]  # fmt: skip
    assert parsl.providers.GoogleCloudProvider.__module__ == "parsl.providers.googlecloud.googlecloud"


def test_a_provider_is_made_without_the_client_library_and_without_the_service():
    program = (
        "import sys; from parsl.providers import GoogleCloudProvider as G; "
        f"print(G(*{REQUIRED!r}).label, 'googleapiclient' in sys.modules, 'google.auth' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["google_cloud", "False", "False"]


def test_its_repr_is_complete():
    text = repr(GoogleCloudProvider(*REQUIRED, accelerators={"nvidia-tesla-t4": 1}))
    assert text.startswith("GoogleCloudProvider(\n    'my-project'")
    assert "accelerators={'nvidia-tesla-t4': 1}" in text
    assert "<unrecorded>" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"google_version": "v2"}, "google_version is 'v2'"),
        ({"walltime": "tomorrow"}, "walltime is 'tomorrow'"),
        ({"walltime": "00:00:29"}, "from 30 seconds to 120 days"),
        ({"walltime": "121-00:00:00"}, "from 30 seconds to 120 days"),
        ({"api_endpoint": "foo"}, "api_endpoint is 'foo'.*https://"),
        ({"api_endpoint": "https://"}, "api_endpoint is 'https://'"),
        ({"api_endpoint": ""}, "api_endpoint is ''"),
        ({"zones": []}, "zones is .*non-empty list"),
        ({"zones": "us-central1-a"}, "zones is 'us-central1-a'"),
        ({"accelerators": {"nvidia-tesla-t4": 0}}, r"accelerators\['nvidia-tesla-t4'\] is 0"),
        ({"accelerators": "nvidia-tesla-t4"}, "accelerators is 'nvidia-tesla-t4'"),
        ({"labels": {"Team": "lab"}}, "the key 'Team'"),
        ({"labels": {"parsl-run": "mine"}}, "does not begin with 'parsl-'"),
        ({"disk_size_gb": 0}, "disk_size_gb is 0"),
        ({"max_machine_hours": 0}, "max_machine_hours is 0"),
        ({"nodes_per_block": 0}, "nodes_per_block is 0"),
        ({"spot": "yes"}, "spot is 'yes'"),
    ],
)
def test_wrong_parameters_are_named(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        GoogleCloudProvider(*REQUIRED, **arguments)


def test_without_the_client_library_the_error_has_the_line_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "googleapiclient", None)
    with pytest.raises(
        (ConfigurationError, OptionalModuleMissing), match=r"pip install 'parsl\[google_cloud\]'"
    ):
        GoogleCloudProvider(*REQUIRED).prepare("run")


def test_a_file_in_the_place_of_the_client_library_is_named(tmp_path):
    (tmp_path / "google.py").write_text("")
    program = f"from parsl.providers import GoogleCloudProvider as G; G(*{REQUIRED!r}).check()"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {program}"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert "pip install 'parsl[google_cloud]'. The import failed: " in run.stderr
    assert "'google' is not a package" in run.stderr


def test_other_processes_find_the_key_file_from_their_directories(google, key_file, monkeypatch):
    directory, name = os.path.split(key_file)
    monkeypatch.chdir(directory)
    assert GoogleCloudProvider(PROJECT, name, *REQUIRED[2:]).cloud.address()["key_file"] == key_file
    monkeypatch.setenv("HOME", directory)
    assert GoogleCloudProvider(PROJECT, f"~/{name}", *REQUIRED[2:]).cloud.address()["key_file"] == key_file


def test_all_settings_reach_the_service(google, key_file):
    provider = GoogleCloudProvider(
        PROJECT,
        key_file,
        REGION,
        IMAGE_PROJECT,
        IMAGE_FAMILY,
        instance_type="n1-standard-4",
        nodes_per_block=2,
        walltime="00:10:00",
        worker_init="pip install parsl",
        spot=True,
        zones=[ZONES[2]],
        subnetwork="inner",
        external_address=False,
        network_tags=["no-internet"],
        disk_size_gb=20,
        service_account="worker@my-project.iam.gserviceaccount.com",
        labels={"team": "lab"},
        api_endpoint=google.server.address,
    )
    provider.prepare("run")
    block = provider.submit("process_worker_pool.py", 1)
    first, second = google.inserted
    assert [first["name"], second["name"]] == [f"{block}-0", f"{block}-1"]
    assert first["scheduling"]["maxRunDuration"] == {"seconds": "600"}
    assert first["scheduling"]["provisioningModel"] == "SPOT"
    assert first["machineType"] == f"zones/{ZONES[2]}/machineTypes/n1-standard-4"
    assert first["networkInterfaces"] == [{"subnetwork": "regions/us-central1/subnetworks/inner"}]
    assert first["tags"] == {"items": ["no-internet"]}
    assert first["labels"]["team"] == "lab"
    script = first["metadata"]["items"][0]["value"]
    assert "pip install parsl" in script
    assert "process_worker_pool.py" in script
    provider.close()
    assert google.running() == []


def test_a_reclaimed_block_was_cancelled_and_is_no_fault_of_its_tasks(google, provider):
    block = provider.submit("true", 1)
    assert provider.status([block])[0].state is JobState.RUNNING
    google.preempt(f"{block}-0")
    (status,) = provider.status([block])
    assert status.state is JobState.CANCELLED
    assert "Instance was preempted" in status.message


def test_a_quota_that_is_used_up_later_is_in_the_status(google, provider):
    google.quotas["CPUS"] = 0
    block = provider.submit("true", 1)
    (status,) = provider.status([block])
    assert status.state is JobState.FAILED
    assert "Quota 'CPUS' exceeded.  Limit: 0 in region us-central1." in status.message


def test_a_permission_that_is_withdrawn_later_refuses_the_block_for_good(google, provider):
    google.permissions.discard("compute.instances.create")
    with pytest.raises(SubmitException, match=r"Required 'compute\.instances\.create' permission") as caught:
        provider.submit("true", 1)
    assert caught.value.is_permanent


def test_upstreams_other_methods(google, provider):
    assert provider.get_zone(REGION) == ZONES[0]
    with pytest.raises(ValueError, match="'nowhere' has no zones"):
        provider.get_zone("nowhere")
    block = provider.submit("true", 1)
    provider.submit("true", 1)
    provider.delete_instance(f"{block}-0")
    assert len(google.running()) == 1
    provider.bye()
    assert google.running() == []
