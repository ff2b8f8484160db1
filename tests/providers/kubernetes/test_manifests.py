from __future__ import annotations

import json

import pytest

from parsl.errors import ConfigurationError, OptionalModuleMissing
from parsl.providers import KubernetesProvider
from parsl.providers.kubernetes.manifests import (
    BlockNames,
    plain_name,
    secret_manifest,
    selector,
    service_manifest,
)
from parsl.validate import ParameterError


def pod_of(**settings):
    """Return what the provider would submit, as far as pods are concerned."""
    provider = KubernetesProvider("image", **settings)
    (document,) = provider.preview("true").values()
    return json.loads(document)["spec"]["template"]["spec"]


def container_of(**settings):
    return pod_of(**settings)["containers"][0]


def test_upstream_s_parameters():
    pod = pod_of(
        user_id="1000", group_id="100", run_as_non_root=True, secret="reg", service_account_name="worker",
        persistent_volumes=[("claim", "/data")], max_cpu=4, init_cpu=0.5, max_mem="4Gi", init_mem="1Gi",
        extra_requests={"ephemeral-storage": "1Gi"}, extra_limits={"amd.com/gpu": "1"},
    )  # fmt: skip
    assert pod["securityContext"] == {"runAsUser": 1000, "runAsGroup": 100, "runAsNonRoot": True}
    assert pod["imagePullSecrets"] == [{"name": "reg"}]
    assert pod["serviceAccountName"] == "worker"
    assert pod["volumes"][1] == {"name": "claim-0", "persistentVolumeClaim": {"claimName": "claim"}}
    assert pod["containers"][0]["volumeMounts"][1] == {"name": "claim-0", "mountPath": "/data"}
    assert pod["containers"][0]["resources"] == {
        "requests": {"cpu": "0.5", "memory": "1Gi", "ephemeral-storage": "1Gi"},
        "limits": {"cpu": "4", "memory": "4Gi", "amd.com/gpu": "1"},
    }


def test_secrets_for_registries():
    pod = pod_of(secret="one", image_pull_secrets=["two", "three"])
    assert pod["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}, {"name": "three"}]
    assert "imagePullSecrets" not in pod_of()


def test_where_pods_run():
    toleration = {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}
    affinity = {"nodeAffinity": {}}
    pod = pod_of(node_selector={"zone": "a"}, tolerations=[toleration], affinity=affinity, gpus=2)
    assert pod["nodeSelector"] == {"zone": "a"}
    assert pod["tolerations"] == [toleration]
    assert pod["affinity"] == affinity
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "2"


def test_environment_and_secrets():
    container = container_of(
        environment={"A": "1"}, secret_environment={"TOKEN": ("tokens", "mine")}, environment_secrets=["all"],
        image_pull_policy="Always", ephemeral_storage="10Gi",
    )  # fmt: skip
    reference = {"secretKeyRef": {"name": "tokens", "key": "mine"}}
    assert container["env"] == [{"name": "A", "value": "1"}, {"name": "TOKEN", "valueFrom": reference}]
    assert container["envFrom"] == [{"secretRef": {"name": "all"}}]
    assert container["imagePullPolicy"] == "Always"
    assert container["resources"]["requests"]["ephemeral-storage"] == "10Gi"


def test_a_job_is_never_restarted_and_is_removed_some_time_after_its_end():
    provider = KubernetesProvider("image", walltime="01:00:00", ttl_s=60, nodes_per_block=3)
    (document,) = provider.preview("true").values()
    spec = json.loads(document)["spec"]
    assert (spec["backoffLimit"], spec["ttlSecondsAfterFinished"]) == (0, 60)
    assert (spec["completions"], spec["parallelism"], spec["completionMode"]) == (3, 3, "Indexed")
    assert spec["template"]["spec"]["activeDeadlineSeconds"] == 3600
    assert provider.walltime_s == 3600


def test_what_belongs_to_a_job_is_removed_with_it():
    names = BlockNames("run-0", "run", 2, parent={"kind": "Pod", "name": "driver"})
    assert names.node_names == ["run-0-0.run-0", "run-0-1.run-0"]
    for manifest in (secret_manifest(names, "uid-1", "text"), service_manifest(names, "uid-1")):
        (owner,) = manifest["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"]) == ("Job", "uid-1")


def test_names():
    assert plain_name("My_Run.1") == "my-run-1"
    assert plain_name("9") == "p9"
    assert plain_name("---") == "parsl"
    assert len(plain_name("x" * 100)) <= 44
    with pytest.raises(ValueError, match="all runs"):
        selector("")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"max_mem": "2 GB"}, "max_mem is '2 GB'"),
        ({"user_id": "root"}, "user_id is 'root'"),
        ({"environment": {"N": 1}}, r"environment\['N'\] is 1"),
        ({"persistent_volumes": [("claim", "data")]}, "an absolute path"),
        ({"secret_environment": {"A": "secret"}}, "a key in it"),
        ({"image_pull_policy": "Sometimes"}, "IfNotPresent"),
        ({"tolerations": {"key": "x"}}, "a list of Mapping"),
        ({"ttl_s": 0}, "ttl_s is 0"),
        ({"walltime": "soon"}, "walltime is 'soon'"),
        (
            {"labels": {"parsl-run": "x"}},
            "a key of labels is 'parsl-run'.*one other than parsl-run",
        ),
        ({"labels": {"app.kubernetes.io/managed-by": "helm"}}, "managed-by"),
        ({"pod_overrides": {"containers": []}}, "a key of pod_overrides is 'containers'.*metadata or spec"),
        ({"min_blocks": 3, "max_blocks": 2}, "min_blocks is 3"),
    ],
)
def test_wrong_parameters(settings, text):
    with pytest.raises(ParameterError, match=text):
        KubernetesProvider("image", **settings)


def test_without_the_client_library_the_error_has_the_line_to_type(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(OptionalModuleMissing, match=r"pip install 'parsl\[kubernetes\]'"):
        KubernetesProvider("image")


def test_overrides_are_checked_at_once():
    with pytest.raises(ConfigurationError, match=r"pod_overrides: spec\.restartPolicy"):
        KubernetesProvider("image", pod_overrides={"spec": {"restartPolicy": "Always"}})


def test_the_provider_shows_its_parameters():
    assert "KubernetesProvider(" in repr(KubernetesProvider("image"))
