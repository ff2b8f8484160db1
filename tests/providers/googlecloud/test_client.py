"""The client library, credentials included, and the stand-in for the service."""

from __future__ import annotations

import json
import threading

import pytest
from google.auth.exceptions import RefreshError
from googleapiclient.errors import HttpError

from parsl.errors import ConfigurationError
from parsl.providers.googlecloud.client import Access, Client
from parsl.providers.googlecloud.instance import InstanceSettings, instance_body
from tests.support.clouds.google_compute import PROJECT, ZONES
from tests.support.clouds.google_server import rate_limit

ZONE = ZONES[0]
SETTINGS = InstanceSettings(machine_type="n1-standard-1", region="us-central1")


@pytest.fixture
def client(google, key_file) -> Client:
    return Client(Access(key_file, api_endpoint=google.server.address))


def insert(client, name, settings=SETTINGS, zone=ZONE, **more):
    body = instance_body(
        settings,
        name=name,
        zone=zone,
        image="image",
        labels={"parsl-run": "r1"},
        startup_script="true",
        walltime_s=60,
    )
    return client.execute(
        client.collection("instances").insert(project=PROJECT, zone=zone, body=body, **more)
    )


def list_all(client, filter_text):
    instances = client.collection("instances")
    request, found = instances.aggregatedList(project=PROJECT, filter=filter_text), []
    while request is not None:
        page = client.execute(request)
        found += [one["name"] for scope in page["items"].values() for one in scope.get("instances", [])]
        request = instances.aggregatedList_next(request, page)
    return found


def test_a_key_file_is_signed_with_and_exchanged_for_a_token(client):
    zones = client.execute(client.collection("zones").list(project=PROJECT))["items"]
    assert [zone["name"] for zone in zones][:3] == list(ZONES)


def test_application_default_credentials_are_used_without_a_key_file(google, key_file, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", key_file)
    client = Client(Access(None, api_endpoint=google.server.address))
    assert client.execute(client.collection("zones").list(project=PROJECT))["items"]


def test_a_key_that_the_service_does_not_know_is_refused(google, tmp_path):
    path = google.server.write_key_file(tmp_path / "other.json", is_known=False)
    client = Client(Access(path, api_endpoint=google.server.address))
    with pytest.raises(RefreshError, match="Invalid JWT Signature"):
        client.execute(client.collection("zones").list(project=PROJECT))


@pytest.mark.parametrize(
    ("content", "found"),
    [(None, "No such file"), ("{}", "missing fields"), ("no JSON", "Expecting value")],
)
def test_a_wrong_key_file_is_an_error_that_names_it(tmp_path, content, found):
    path = tmp_path / "key.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(
        ConfigurationError, match=rf"key_file='{path}'.*(?i:{found}).*gcloud iam service-accounts"
    ):
        Client(Access(str(path)))


def test_no_credentials_at_all_is_an_error_with_the_command_to_run(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    with pytest.raises(ConfigurationError, match=r"default credentials.*auth application-default login"):
        Client(Access(None))


def test_a_machine_is_created_listed_and_deleted(google, client):
    operation = insert(client, "m1")
    assert operation["operationType"] == "insert"
    assert list_all(client, "labels.parsl-run=r1") == ["m1"]
    assert list_all(client, "labels.parsl-run=r2") == []
    instance = client.execute(client.collection("instances").get(project=PROJECT, zone=ZONE, instance="m1"))
    assert instance["status"] == "RUNNING"
    client.execute(client.collection("instances").delete(project=PROJECT, zone=ZONE, instance="m1"))
    assert google.running() == []


def test_a_request_that_is_repeated_creates_no_second_machine(google, client):
    first, second = (insert(client, "m1", requestId="0d5c") for _ in range(2))
    assert first["name"] == second["name"]
    with pytest.raises(HttpError, match="already exists"):
        insert(client, "m1", requestId="1e6d")
    assert len(google.inserted) == 1


def test_lists_have_pages(google, client):
    google.quotas["CPUS"] = 100
    google.page_size = 3
    names = [f"m{number}" for number in range(7)]
    for number, name in enumerate(names):
        insert(client, name, zone=ZONES[number % 3])
    assert sorted(list_all(client, "(labels.parsl-run=r1) (status=RUNNING)")) == names


def test_a_quota_and_a_full_zone_are_errors_of_the_operation(google, client):
    google.full_zones.add(ZONES[1])
    for zone, code in ((ZONES[1], "ZONE_RESOURCE_POOL_EXHAUSTED"), (ZONES[0], "QUOTA_EXCEEDED")):
        google.quotas["CPUS"] = 0 if code == "QUOTA_EXCEEDED" else 1
        name = insert(client, "m1", zone=zone)["name"]
        operation = client.execute(
            client.collection("zoneOperations").get(project=PROJECT, zone=zone, operation=name)
        )
        assert operation["error"]["errors"][0]["code"] == code
        assert google.running() == []


def test_a_reclaimed_machine_is_gone_and_an_operation_has_the_reason(google, client):
    insert(client, "m1")
    google.preempt("m1")
    operations = client.execute(
        client.collection("zoneOperations").list(project=PROJECT, zone=ZONE, filter="operationType!=insert")
    )["items"]
    assert [(one["operationType"], one["statusMessage"]) for one in operations] == [
        ("compute.instances.preempted", "Instance was preempted.")
    ]
    assert list_all(client, "labels.parsl-run:*") == []


def test_faults_are_answered_as_often_as_requested(google, client):
    google.server.fail(rate_limit(), "GET .*/zones$", times=1)
    with pytest.raises(HttpError) as caught:
        client.execute(client.collection("zones").list(project=PROJECT))
    assert json.loads(caught.value.content)["error"]["errors"][0]["reason"] == "rateLimitExceeded"
    assert client.execute(client.collection("zones").list(project=PROJECT))["items"]


def test_threads_have_connections_of_their_own(client):
    answers: list[object] = []

    def list_zones():
        answers.append(client.execute(client.collection("zones").list(project=PROJECT)))

    threads = [threading.Thread(target=list_zones) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4


def test_permissions_are_those_that_the_account_has(google, client):
    google.permissions.discard("compute.instances.create")
    manager = client.resource_manager()
    request = manager.projects().testIamPermissions(
        resource=f"projects/{PROJECT}",
        body={"permissions": ["compute.instances.create", "compute.instances.delete"]},
    )
    assert client.execute(request)["permissions"] == ["compute.instances.delete"]
    with pytest.raises(HttpError, match=r"Required 'compute.instances.create' permission"):
        insert(client, "m1")
