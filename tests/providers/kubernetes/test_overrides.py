from __future__ import annotations

import pytest

from parsl.providers.kubernetes.manifests import RESERVED, BlockNames, PodSettings, job_manifest
from parsl.providers.kubernetes.overrides import Conflict, merged

NAMES = BlockNames("run-0", "run")


def template(**overrides):
    settings = PodSettings("image", {"cpu": "1"}, {"cpu": "2"}, environment={"A": "1"}, overrides=overrides)
    return job_manifest(settings, NAMES)["spec"]["template"]


def spec(**patch):
    return template(spec=patch)["spec"]


def test_mappings_are_merged_and_none_removes():
    pod = spec(dnsPolicy="None", terminationGracePeriodSeconds=None, nodeSelector={"a": "b"})
    assert (pod["dnsPolicy"], pod["nodeSelector"]) == ("None", {"a": "b"})
    assert "terminationGracePeriodSeconds" not in pod
    assert template(metadata={"annotations": {"x": "y"}})["metadata"]["annotations"] == {"x": "y"}


def test_lists_with_keys_are_merged():
    shared = {"name": "shm", "emptyDir": {"medium": "Memory"}}
    mount = {"name": "shm", "mountPath": "/dev/shm"}
    own = {"name": "parsl", "env": [{"name": "B", "value": "2"}], "volumeMounts": [mount]}
    pod = spec(volumes=[shared], containers=[own, {"name": "sidecar", "image": "s"}])
    first, second = pod["containers"]
    assert first["image"] == "image"
    assert [item["name"] for item in first["env"]] == ["A", "B"]
    assert [item["mountPath"] for item in first["volumeMounts"]] == ["/var/run/parsl", "/dev/shm"]
    assert second == {"name": "sidecar", "image": "s"}
    assert [volume["name"] for volume in pod["volumes"]] == ["parsl-launch", "shm"]


def test_items_can_be_deleted():
    own = {"name": "parsl", "env": [{"name": "A", "$patch": "delete"}]}
    assert spec(containers=[own])["containers"][0]["env"] == []


def test_lists_without_keys_are_replaced():
    base = {"spec": {"tolerations": [{"key": "a"}]}}
    patch = {"spec": {"tolerations": [{"key": "b"}]}}
    assert merged(base, patch, ()) == patch


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        ({"spec": {"restartPolicy": "Always"}}, r"spec\.restartPolicy has to be Never"),
        (
            {"spec": {"containers": [{"name": "parsl", "command": ["x"]}]}},
            r"parsl\.command starts the script",
        ),
        ({"spec": {"volumes": [{"name": "parsl-launch", "emptyDir": {}}]}}, "contains the script"),
        ({"metadata": {"labels": {"parsl-run": "x"}}}, "how Parsl finds"),
        (
            {"spec": {"containers": [{"image": "x"}]}},
            r"spec\.containers\[0\] needs the field 'name'.*'parsl'",
        ),
        ({"spec": {"containers": {"name": "parsl"}}}, "has to be a list"),
        ({"spec": []}, "has to be a mapping"),
        ({"metadata": None}, "how Parsl finds"),
        ({"metadata": {"labels": None}}, "how Parsl finds"),
        ({"spec": None}, "has to be Never"),
        ({"spec": {"containers": None}}, "starts the script"),
        ({"spec": {"containers": [{"name": "parsl", "$patch": "delete"}]}}, "starts the script"),
        ({"spec": {"containers": [{"name": "parsl", "volumeMounts": None}]}}, "contains the script"),
        ({"spec": {"containers": [{"name": "parsl", "args": ["x"]}]}}, "starts the script"),
        ({"spec": {"volumes": None}}, "contains the script"),
        ({"spec": {"subdomain": "x"}}, "block's Service"),
        ({"spec": {"activeDeadlineSeconds": 60}}, "use walltime="),
    ],
)
def test_conflicts_name_the_place_and_the_reason(overrides, text):
    with pytest.raises(Conflict, match=text):
        template(**overrides)


def test_repeating_what_is_there_is_no_conflict():
    assert spec(restartPolicy="Never")["restartPolicy"] == "Never"
    assert len(RESERVED) > 5
