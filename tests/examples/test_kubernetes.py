"""The example for Kubernetes: its rights are what the provider needs, and its driver runs."""

from __future__ import annotations

import os
import re
import shlex
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


def test_the_image_has_the_parsl_of_this_clone(tmp_path):
    """Under the name ``parsl``, the index of packages has another one, whose workers do not fit."""
    lines = (EXAMPLE / "Dockerfile").read_text().splitlines()
    (install,) = [line.removeprefix("RUN ") for line in lines if "pip install" in line]
    _, pattern, directory = next(line for line in lines if line.startswith("COPY")).split()
    wheel = tmp_path / "parsl-1.2-py3-none-any.whl"
    assert wheel.match(pattern)
    wheel.touch()
    script = f"pip() {{ printf '%s\\n' \"$@\"; }}; {install.replace(directory, f'{tmp_path}/')}"
    run = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == f"{wheel}[kubernetes]"
    assert [word for word in run.stdout.split() if "parsl" in word] == [f"{wheel}[kubernetes]"]


def test_the_readme_makes_the_wheel_before_the_image():
    (commands,) = re.findall(r"```bash\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.DOTALL)
    lines = [shlex.split(line, comments=True) for line in commands.splitlines()]
    remove, wheel, build = lines[:3]
    assert remove == ["rm", "-f", "parsl-*.whl"]  # the image installs what is there
    assert wheel[:3] == ["pip", "wheel", "--no-deps"]
    assert (EXAMPLE / wheel[-1] / "pyproject.toml").is_file()
    assert build[:2] == ["docker", "build"]


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
