"""The bodies of requests, and labels."""

from __future__ import annotations

import re

import pytest

from parsl.providers.googlecloud.instance import InstanceSettings, instance_body, label_value, wrong_label


def body(walltime_s=3600, **settings):
    return instance_body(
        InstanceSettings(**{"machine_type": "n1-standard-1", "region": "us-central1", **settings}),
        name="m1",
        zone="us-central1-a",
        image="projects/debian-cloud/global/images/debian-12-v1",
        labels={"parsl-run": "r1"},
        startup_script="echo hello",
        walltime_s=walltime_s,
    )


def test_the_service_deletes_the_machine_at_its_walltime_and_never_starts_it_again():
    assert body()["scheduling"] == {
        "automaticRestart": False,
        "maxRunDuration": {"seconds": "3600"},
        "instanceTerminationAction": "DELETE",
    }


def test_a_spot_machine_can_be_reclaimed():
    scheduling = body(is_spot=True)["scheduling"]
    assert (scheduling["provisioningModel"], scheduling["onHostMaintenance"]) == ("SPOT", "TERMINATE")
    assert scheduling["instanceTerminationAction"] == "DELETE"


def test_a_machine_with_accelerators_cannot_be_moved():
    sent = body(accelerators={"nvidia-tesla-t4": 2})
    kind = "zones/us-central1-a/acceleratorTypes/nvidia-tesla-t4"
    assert sent["guestAccelerators"] == [{"acceleratorType": kind, "acceleratorCount": 2}]
    assert sent["scheduling"]["onHostMaintenance"] == "TERMINATE"


def test_the_boot_disk_goes_with_the_machine():
    (disk,) = body(disk_size_gb=50, disk_type="pd-ssd")["disks"]
    assert disk["boot"]
    assert disk["autoDelete"]
    assert disk["initializeParams"] == {
        "sourceImage": "projects/debian-cloud/global/images/debian-12-v1",
        "diskSizeGb": "50",
        "diskType": "zones/us-central1-a/diskTypes/pd-ssd",
    }


@pytest.mark.parametrize(
    ("settings", "interface"),
    [
        ({}, {"network": "global/networks/default"}),
        ({"network": "lab"}, {"network": "global/networks/lab"}),
        ({"subnetwork": "inner"}, {"subnetwork": "regions/us-central1/subnetworks/inner"}),
        ({"network": "projects/host/global/networks/n"}, {"network": "projects/host/global/networks/n"}),
    ],
)
def test_networks_are_names_or_paths(settings, interface):
    (found,) = body(**settings, has_external_address=False)["networkInterfaces"]
    assert found == interface
    (reachable,) = body(**settings)["networkInterfaces"]
    assert len(reachable["accessConfigs"]) == 1


def test_account_and_tags_are_sent_only_if_given():
    assert not {"serviceAccounts", "tags", "guestAccelerators"} & set(body())
    sent = body(service_account="worker@p.iam.gserviceaccount.com", network_tags=["inner"])
    assert sent["serviceAccounts"][0]["email"] == "worker@p.iam.gserviceaccount.com"
    assert sent["tags"] == {"items": ["inner"]}


@pytest.mark.parametrize("text", ["Alice's run", "x" * 80, "", "2026_a-b"])
def test_label_values_are_ones_that_the_service_accepts(text):
    assert re.fullmatch(r"[-_a-z0-9]{0,63}", label_value(text))


def test_wrong_labels_are_named():
    assert wrong_label({"team": "lab"}) is None
    assert "'Team'" in str(wrong_label({"Team": "lab"}))
    assert "'Big Lab'" in str(wrong_label({"team": "Big Lab"}))
