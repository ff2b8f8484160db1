"""``parsl clouds`` with a configuration for Kubernetes."""

from __future__ import annotations

import pytest

from parsl.cli.main import main
from parsl.providers.kubernetes import deletion

CONFIG = """
from parsl import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import KubernetesProvider

provider = KubernetesProvider("python:3.12", kubeconfig={kubeconfig!r})
config = Config(executors=[HighThroughputExecutor(label="pods", provider=provider)])
"""


@pytest.fixture
def config(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(deletion, "PAUSE_S", 0.01)
    path = tmp_path / "config.py"
    path.write_text(CONFIG.format(kubeconfig=str(cluster.kubeconfig)))
    return str(path)


@pytest.fixture
def jobs(cluster, make_provider):
    """One block of each of two runs: the second one without its pod."""
    jobs = []
    for run in ("one", "two"):
        provider = make_provider()
        provider.prepare(run)
        jobs.append(provider.submit("sleep 1000", 1))
        cluster.max_pods = 0
    return jobs


def test_list(config, cluster, jobs, capsys):
    assert main(["clouds", "list", config]) == 0
    title, first, second = capsys.readouterr().out.splitlines()
    assert title == f"Kubernetes {cluster.url} default: 2 machines of 2 runs"
    (pod,) = cluster.pods_of(jobs[0])
    assert first.split()[:3] == ["one", jobs[0], f"pod/{pod['metadata']['name']}"]
    assert second.split()[:4] == ["two", jobs[1], f"job/{jobs[1]}", "starting"]
    assert first.endswith(" s old")
    assert second.endswith(" s old")


def test_sweep_one_run(config, cluster, jobs, capsys):
    assert main(["clouds", "sweep", config, "one", "--yes"]) == 0
    assert f"run one: terminated job/{jobs[0]}" in capsys.readouterr().out
    assert [job["metadata"]["name"] for job in cluster.objects.find("jobs")] == [jobs[1]]


def test_sweep_all_runs_but_not_the_jobs_of_others(config, cluster, jobs):
    cluster.objects.create("jobs", "default", {"metadata": {"name": "other"}})
    assert main(["clouds", "sweep", config, "--all", "--yes"]) == 0
    assert cluster.remaining() == ["jobs/other"]


def test_a_cluster_that_refuses(config, cluster, jobs, capsys):
    cluster.denied = {"delete jobs"}
    assert main(["clouds", "sweep", config, "one", "--yes"]) == 1
    err = capsys.readouterr().err
    assert "cannot delete resource" in err
    assert "`kubectl auth can-i --list` shows yours" in err
    cluster.denied = set()


def test_a_configuration_without_machines_or_pods(tmp_path, capsys):
    path = tmp_path / "config.py"
    path.write_text("from parsl import Config, ThreadPoolExecutor\nconfig = Config([ThreadPoolExecutor()])\n")
    assert main(["clouds", "list", str(path)]) == 2
    assert "no provider that rents machines or creates pods" in capsys.readouterr().err
