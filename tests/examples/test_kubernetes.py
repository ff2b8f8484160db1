"""The example for Kubernetes: its rights are what the provider needs, and its driver runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml", reason="it comes with the extra 'kubernetes'")
pytest.importorskip("kubernetes", reason="the extra 'kubernetes' is not installed")

from parsl.providers.kubernetes.cluster import RIGHTS, SERVICE_RIGHT  # noqa: E402
from tests.support.kubernetes_cluster.cluster import KubernetesCluster  # noqa: E402

EXAMPLE = Path(__file__).parents[2] / "examples" / "kubernetes"


def documents(name):
    return {document["kind"]: document for document in yaml.safe_load_all((EXAMPLE / name).read_text())}


def test_the_role_has_exactly_the_rights_that_the_provider_needs():
    granted = {
        (verb, group, resource)
        for rule in documents("rights.yaml")["Role"]["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    needed = {
        (right.verb, right.group, "/".join(filter(None, (right.resource, right.subresource))))
        for right in (*RIGHTS, SERVICE_RIGHT)
    }
    assert granted == needed


def test_the_driver_uses_the_account_that_has_the_rights():
    account, binding, role = (
        documents("rights.yaml")[kind] for kind in ("ServiceAccount", "RoleBinding", "Role")
    )
    name = account["metadata"]["name"]
    assert [subject["name"] for subject in binding["subjects"]] == [name]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    pod = documents("driver.yaml")["Job"]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == name
    (container,) = pod["containers"]
    variables = {item["name"]: item for item in container["env"]}
    assert {"PARSL_NAMESPACE", "POD_NAME"} < set(variables)
    assert variables["PARSL_IMAGE"]["value"] == container["image"]


@pytest.mark.slow
def test_the_driver_runs(tmp_path):
    cluster = KubernetesCluster(tmp_path / "cluster")
    variables = {"KUBECONFIG": str(cluster.kubeconfig), "PARSL_IMAGE": "example:1"}
    environment = {**os.environ, **variables, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(EXAMPLE / "driver.py")]
    try:
        result = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False
        )
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith("pi is about 3.1")
        assert cluster.remaining() == []
        used = {right for right in cluster.requests if "selfsubject" not in right}
        assert used <= {str(right) for right in (*RIGHTS, SERVICE_RIGHT)}
    finally:
        cluster.close()
