"""The end of everything of a run: what is deleted when the cluster refuses some requests, or answers late."""

from __future__ import annotations

import sys

import pytest

from parsl.providers.kubernetes.cluster import Cluster
from parsl.providers.kubernetes.credentials import make_client
from parsl.providers.kubernetes.deletion import MAX_LOOKS, PAUSE_S, sweep
from parsl.providers.kubernetes.sweep import main
from tests.support.kubernetes_cluster.objects import Refusal


@pytest.fixture
def access(cluster):
    """The cluster, as the provider sees it; a request that fails is not sent again by itself."""
    return Cluster(make_client(str(cluster.kubeconfig), None), "default", deadline_s=0.0)


@pytest.fixture
def add_job(cluster):
    def add_job(name, run="run"):
        cluster.objects.create("jobs", "default", {"metadata": {"name": name, "labels": {"parsl-run": run}}})

    return add_job


def names(cluster):
    return [job["metadata"]["name"] for job in cluster.objects.find("jobs")]


def test_errors_do_not_end_a_sweep(cluster, access, add_job):
    for number in range(4):
        add_job(f"a-{number}")
    with cluster.refusing(3, lambda: Refusal(500, "InternalError", "etcdserver: request timed out")):
        deleted, problems = sweep(access, "run", sleep=lambda _: None)
    assert (sorted(deleted), problems, names(cluster)) == (["a-0", "a-1", "a-2", "a-3"], [], [])


def test_a_job_that_appears_late_is_deleted(cluster, access, add_job):
    late = iter(["late"])

    def sleep(seconds):
        assert seconds == PAUSE_S
        for name in late:
            add_job(name)

    add_job("early")
    add_job("of-another", run="other")
    assert sweep(access, "run", sleep=sleep) == (["early", "late"], [])
    assert names(cluster) == ["of-another"]


def test_a_request_without_an_answer_is_repeated(cluster, access):
    cluster.intrude = refuse_all(503, "ServiceUnavailable")
    pauses = []
    deleted, (problem,) = sweep(access, "run", sleep=pauses.append)
    assert (deleted, len(pauses)) == ([], MAX_LOOKS - 1)
    assert "ServiceUnavailable" in str(problem)


def test_a_right_that_is_missing_is_reported_at_once(cluster, add_job, capsys):
    add_job("a-0")
    cluster.denied = {"delete jobs"}
    assert main(["--namespace", "default", "--run", "run", "--kubeconfig", str(cluster.kubeconfig)]) == 1
    assert "Jobs may be left: Kubernetes: delete Job failed: Forbidden" in capsys.readouterr().err


def test_no_run_is_not_all_runs(capsys):
    assert main(["--namespace", "default", "--run", ""]) == 2
    assert "all runs" in capsys.readouterr().err


def test_without_the_client_library_the_program_names_the_line_to_type(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    assert main(["--namespace", "default", "--run", "run"]) == 1
    assert "pip install 'parsl[kubernetes]'" in capsys.readouterr().err


def refuse_all(code, reason):
    def intrude(_):
        raise Refusal(code, reason, "the server is currently unable to handle the request")

    return intrude
