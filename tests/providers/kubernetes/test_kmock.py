"""Requests and errors with another emulator of the API, kmock: a check of the stand-in of these tests."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from parsl.providers.api.failure import FailureKind, ServiceError
from parsl.providers.kubernetes.cluster import Cluster
from parsl.providers.kubernetes.credentials import make_client

kmock = pytest.importorskip("kmock", reason="kmock is not installed: it needs Python 3.11")

JOBS = "/apis/batch/v1/namespaces/default/jobs"
MANIFEST = {"metadata": {"name": "run-0", "labels": {"parsl-run": "run"}}}
DEADLINE_S = 5.0


@pytest.fixture
def emulator():
    """The emulator, served by a thread of its own, with the address of its server."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(60)

    emulator = kmock.KubernetesEmulator()
    server = kmock.Server(emulator)
    run(server.__aenter__())
    for resource in ("batch/v1/jobs", "v1/pods", "v1/secrets"):
        emulator.resources[resource] = {}
    yield emulator, str(server.url).rstrip("/")
    run(server.__aexit__(None, None, None))
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def cluster(emulator, tmp_path):
    config = {
        "clusters": [{"name": "c", "cluster": {"server": emulator[1]}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path = tmp_path / "config"
    path.write_text(json.dumps(config))
    return Cluster(make_client(str(path), None), "default", deadline_s=DEADLINE_S)


def status(code, reason, message):
    return {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}


def test_objects_are_created_listed_and_deleted(cluster):
    assert cluster.create_job(MANIFEST)["metadata"]["name"] == "run-0"
    assert [job["metadata"]["name"] for job in cluster.jobs("parsl-run=run")] == ["run-0"]
    cluster.create_secret({"metadata": {"name": "run-0-launch"}, "stringData": {"block.sh": "true"}})
    cluster.delete_job("run-0")
    assert cluster.jobs("parsl-run=run") == []


@pytest.mark.parametrize(
    ("code", "reason", "message", "kind"),
    [
        (401, "Unauthorized", "Unauthorized", FailureKind.DENIED),
        (403, "Forbidden", 'jobs.batch is forbidden: User "u" cannot create', FailureKind.DENIED),
        (403, "Forbidden", "exceeded quota: team, requested: count/jobs.batch=1", FailureKind.QUOTA),
        (404, "NotFound", 'namespaces "default" not found', FailureKind.NOT_FOUND),
        (422, "Invalid", "spec.template.spec.containers[0].image: Required value", FailureKind.PERMANENT),
    ],
)
def test_refusals_keep_the_words_of_the_server(emulator, cluster, code, reason, message, kind):
    emulator[0][f"post {JOBS}"] << code << status(code, reason, message)
    with pytest.raises(ServiceError) as caught:
        cluster.create_job(MANIFEST)
    assert (caught.value.kind, caught.value.attempts) == (kind, 1)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("code", "reason"), [(429, "TooManyRequests"), (500, "InternalError"), (503, "ServiceUnavailable")]
)
def test_what_may_pass_is_tried_again_until_the_time_is_up(emulator, cluster, code, reason):
    emulator[0][f"get {JOBS}"] << code << status(code, reason, "try again later")
    with pytest.raises(ServiceError, match=rf"{reason}: try again later") as caught:
        cluster.jobs("parsl-run=run")
    assert caught.value.attempts > 1


def test_a_page_of_a_proxy_is_not_shown_as_a_whole(emulator, cluster):
    emulator[0][f"post {JOBS}"] << 403 << ("<html>" + "x" * 5000).encode()
    with pytest.raises(ServiceError) as caught:
        cluster.create_job(MANIFEST)
    assert len(str(caught.value)) < 500
