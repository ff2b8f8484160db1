"""The provider with a stand-in for a cluster: what is created, what is reported, and what is left."""

from __future__ import annotations

import base64
import re
import subprocess
import sys

import pytest

from parsl.errors import ConfigurationError, OptionalModuleMissing
from parsl.jobs.states import JobState
from parsl.providers.errors import SubmitException
from parsl.providers.kubernetes import credentials
from parsl.providers.kubernetes.kube import QuotaWarning
from parsl.testing.provider_conformance import status_of
from tests.support.kubernetes_cluster.objects import Refusal
from tests.support.kubernetes_cluster.server import TOKEN, Request

SECRET = "a-key-that-nobody-may-see"


def test_wrong_credentials(cluster, make_provider, tmp_path):
    cluster.write_kubeconfig(tmp_path / "expired", token="expired")
    with pytest.raises(ConfigurationError, match=r"Unauthorized.*kubectl auth whoami"):
        make_provider(kubeconfig=str(tmp_path / "expired")).prepare("run")


def test_no_credentials(make_provider, tmp_path, monkeypatch):
    with pytest.raises(ConfigurationError, match="no-such-file"):
        make_provider(kubeconfig=str(tmp_path / "no-such-file")).prepare("run")
    with pytest.raises(ConfigurationError, match="other"):
        make_provider(context="other").prepare("run")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nothing"))
    with pytest.raises(ConfigurationError, match="there are no credentials"):
        make_provider(kubeconfig=None).prepare("run")


@pytest.mark.parametrize("content", ["a: [b\n: :", "[1, 2]", "- a\n- b", "current-context: 7", "\0"])
def test_a_damaged_kubeconfig(make_provider, tmp_path, content):
    path = tmp_path / "damaged"
    path.write_text(content)
    provider = make_provider(kubeconfig=str(path))
    with pytest.raises(ConfigurationError, match=f"credentials of {path} cannot be used"):
        provider.prepare("run")
    (finding,) = provider.check()
    assert finding.level == "error"


def test_a_file_in_the_place_of_the_client_library(make_provider, tmp_path, monkeypatch):
    (tmp_path / "kubernetes.py").write_text("")
    provider = make_provider()
    for name in [name for name in sys.modules if name.partition(".")[0] == "kubernetes"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    text = r"parsl\[kubernetes\].*cannot import name 'client'.*/kubernetes\.py"
    with pytest.raises(OptionalModuleMissing, match=text):
        provider.prepare("run")


def test_the_credentials_of_the_pod_that_the_driver_runs_in(tmp_path, monkeypatch):
    import kubernetes.config.incluster_config as library

    account = tmp_path / "serviceaccount"
    account.mkdir()
    (account / "token").write_text(TOKEN)
    (account / "namespace").write_text("default")
    (account / "ca.crt").write_text("a certificate")
    monkeypatch.setattr(credentials, "_SERVICE_ACCOUNT", str(account))
    monkeypatch.setattr(library, "SERVICE_TOKEN_FILENAME", str(account / "token"))
    monkeypatch.setattr(library, "SERVICE_CERT_FILENAME", str(account / "ca.crt"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    client = credentials.make_client(None, None)
    assert client.configuration.host == "https://10.0.0.1:443"
    assert client.configuration.ssl_ca_cert == str(account / "ca.crt")
    assert client.configuration.auth_settings()["BearerToken"]["value"] == f"bearer {TOKEN}"
    assert credentials.own_namespace() == "default"
    assert credentials.absolute_files(None) is None, "a process that cleans up finds them by itself"
    (account / "token").unlink()
    with pytest.raises(ConfigurationError, match="there are no credentials"):
        credentials.make_client(None, None)


def test_the_kubeconfig_of_kubectl(cluster, make_provider, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    make_provider(kubeconfig=None).prepare("run")


def test_a_namespace_that_does_not_exist(make_provider):
    text = r'namespaces "elsewhere" not found.*kubectl create namespace elsewhere'
    with pytest.raises(ConfigurationError, match=text):
        make_provider(namespace="elsewhere").prepare("run")


def test_missing_rights_are_named(cluster, make_provider):
    cluster.denied = {"delete jobs", "get pods/log"}
    with pytest.raises(ConfigurationError, match=r"delete jobs, get pods/log.*rights\.yaml"):
        make_provider().prepare("run")


def test_rights_that_cannot_be_reviewed_show_in_the_job(cluster, make_provider):
    def intrude(request: Request):
        if request.resource == "selfsubjectaccessreviews":
            raise Refusal(403, "Forbidden", "cannot create selfsubjectaccessreviews")

    cluster.intrude = intrude
    make_provider().prepare("run")
    cluster.denied = {"create jobs"}
    with pytest.raises(ConfigurationError, match=r"cannot create resource \"jobs\""):
        make_provider().prepare("run")


def test_pods_that_the_cluster_refuses(cluster, make_provider):
    def intrude(request: Request):
        if request.query.get("dryRun"):
            raise Refusal(422, "Invalid", 'spec.template.spec.containers[0].resources.requests: "3" > "2"')

    cluster.intrude = intrude
    with pytest.raises(ConfigurationError, match=r"Invalid: spec\.template.*resources"):
        make_provider(init_cpu=3).prepare("run")


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"tolerations": [{"key": "gpu", "efect": "NoSchedule"}]}, "efect"),
        ({"affinity": {"nodeAfinity": {}}}, "nodeAfinity"),
        ({"pod_overrides": {"spec": {"runtimeClass": "gvisor"}}}, "runtimeClass"),
    ],
)
def test_misspelt_fields_are_refused(cluster, make_provider, settings, field):
    """Some versions of the client library refuse them; the others leave that to the cluster."""

    def intrude(request: Request):
        if request.query.get("fieldValidation") == "Strict" and field in str(request.body):
            raise Refusal(400, "BadRequest", f'strict decoding error: unknown field "{field}"')

    cluster.intrude = intrude
    with pytest.raises(ConfigurationError, match=f"KubernetesProvider: Kubernetes: create Job .*{field}"):
        make_provider(**settings).prepare("run")


def test_the_cluster_refuses_fields_that_it_does_not_know(cluster, make_provider):
    queries = []

    def intrude(request: Request):
        if request.verb == "create" and request.resource == "jobs":
            queries.append(request.query)

    cluster.intrude = intrude
    make_provider().submit("true", 1)
    checked, created = queries
    assert checked == {"dryRun": "All", "fieldValidation": "Strict"}
    assert created == {"fieldValidation": "Strict"}


def test_nothing_is_created_by_the_checks(cluster, make_provider):
    provider = make_provider()
    provider.prepare("run")
    assert cluster.remaining() == []
    levels = [finding.level for finding in provider.check()]
    assert levels == ["ok", "note"]
    cluster.denied = {"create jobs"}
    (finding,) = provider.check()
    assert (finding.level, "create jobs" in finding.text) == ("error", True)


def test_findings_name_kubernetes_once(cluster, make_provider):
    def intrude(request: Request):
        raise Refusal(401, "Unauthorized", "Unauthorized")

    cluster.intrude = intrude
    (finding,) = make_provider().check()
    assert f"{finding.topic}: {finding.text}".startswith("Kubernetes: review rights failed: Unauthorized")


def test_a_quota(cluster, make_provider):
    cluster.max_jobs = 1
    provider = make_provider()
    provider.prepare("run")
    provider.submit("sleep 1000", 1)
    text = r"exceeded quota.*`kubectl -n default describe quota` shows the limit.*lower max_blocks"
    with pytest.raises(SubmitException, match=text) as caught:
        provider.submit("sleep 1000", 1)
    assert not caught.value.is_permanent
    assert "rights.yaml" not in str(caught.value)
    with pytest.warns(QuotaWarning, match=text):
        make_provider().prepare("other")


def test_a_refusal_for_good(cluster, make_provider):
    provider = make_provider()
    provider.prepare("run")
    cluster.denied = {"create secrets"}
    with pytest.raises(SubmitException, match=r"cannot create resource .secrets.*rights\.yaml") as caught:
        provider.submit("true", 1)
    assert caught.value.is_permanent
    assert cluster.remaining() == [], "the Job is deleted again"


def test_keys_are_in_a_secret_alone(cluster, make_provider):
    provider = make_provider(worker_init="export B=2")
    job = provider.submit(f"echo {SECRET} | wc -c; env", 1)
    documents = cluster.objects.find("jobs") + cluster.objects.find("pods")
    assert SECRET not in str(documents)
    (secret,) = cluster.objects.find("secrets")
    script = base64.b64decode(secret["data"]["block.sh"]).decode()
    assert SECRET in script
    assert secret["metadata"]["ownerReferences"][0]["name"] == job


def test_a_block_finds_its_environment(make_provider, wait_until):
    provider = make_provider(worker_init="export B=2", environment={"A": "1"}, walltime="00:10:00")
    job = provider.submit("env", 1)
    wait_until(lambda: status_of(provider, job).terminal)
    lines = (status_of(provider, job).stdout or "").splitlines()
    assert {"A=1", "B=2", "PARSL_BLOCK_WALLTIME_S=600", f"JOBNAME={job}"} <= set(lines)


def test_several_nodes_know_each_other(cluster, make_provider, wait_until):
    provider = make_provider(nodes_per_block=2)
    job = provider.submit('echo "node $PARSL_NODE_RANK of $PARSL_NODE_NAMES"', 1)
    (service,) = cluster.objects.find("services")
    assert service["spec"]["selector"] == {"parsl-block": job}
    wait_until(lambda: status_of(provider, job).terminal)
    output = status_of(provider, job).stdout or ""
    names = f"{job}-0.{job} {job}-1.{job}"
    assert re.findall("node .*", output) == [f"node 0 of {names}", f"node 1 of {names}"]
    assert output.count("==> ") == 2


def test_labels_name_the_run(cluster, make_provider):
    provider = make_provider(labels={"team": "a"}, pod_name="My Work")
    provider.prepare("parsl-12345678-htex-abcdef")
    job = provider.submit("sleep 1000", 1)
    assert job == "my-work-abcdef-0"
    (pod,) = cluster.pods_of(job)
    labels = pod["metadata"]["labels"]
    assert (labels["parsl-run"], labels["team"]) == ("parsl-12345678-htex-abcdef", "a")


def test_an_unschedulable_pod(make_provider, wait_until):
    provider = make_provider(node_selector={"gpu": "h100"})
    job = provider.submit("true", 1)
    status = status_of(provider, job)
    assert status.state is JobState.HELD
    assert "0/1 nodes are available: 1 node(s) didn't match" in status.message


def test_an_image_that_does_not_exist(cluster, make_provider, wait_until):
    cluster.nodes.images = {"python:3.12"}
    provider = make_provider(image="pythn:3.12")
    ended = []
    provider.on_job_end = ended.append
    job = provider.submit("true", 1)
    wait_until(lambda: ended == [job])
    status = status_of(provider, job)
    assert status.state is JobState.FAILED
    assert re.search("ErrImagePull: .*pythn:3.12.*not found", status.message)
    wait_until(lambda: not cluster.remaining(), what="the end of the Job, which would wait for ever")


def test_a_pod_that_the_cluster_does_not_create(cluster, make_provider, wait_until):
    cluster.max_pods = 0
    provider = make_provider()
    job = provider.submit("true", 1)
    wait_until(lambda: status_of(provider, job).state is JobState.HELD)
    assert "exceeded quota" in status_of(provider, job).message


def test_a_pod_whose_volume_cannot_be_mounted(cluster, make_provider, wait_until):
    mount = {"name": "parsl", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    volume = {"name": "data", "secret": {"secretName": "no-such-secret"}}
    provider = make_provider(pod_overrides={"spec": {"volumes": [volume], "containers": [mount]}})
    job = provider.submit("true", 1)
    (pod,) = cluster.pods_of(job)
    cluster.warn(pod, "FailedMount", 'MountVolume.SetUp failed: secret "no-such-secret" not found')
    wait_until(lambda: "FailedMount" in str(status_of(provider, job).message))
    assert status_of(provider, job).state is JobState.PENDING


def test_a_pod_deleted_by_others_is_noticed(cluster, make_provider, wait_until):
    provider = make_provider()
    ended = []
    provider.on_job_end = ended.append
    job = provider.submit("sleep 1000", 1)
    wait_until(lambda: status_of(provider, job).state is JobState.RUNNING)
    cluster.delete_pods_of(job)
    wait_until(lambda: ended == [job])
    status = status_of(provider, job)
    assert status.state is JobState.CANCELLED
    assert "not by this run" in status.message


def test_a_pod_that_was_preempted(cluster, make_provider, wait_until):
    provider = make_provider()
    job = provider.submit("sleep 1000", 1)
    wait_until(lambda: status_of(provider, job).state is JobState.RUNNING)
    (pod,) = cluster.pods_of(job)
    words = {"reason": "PreemptionByScheduler", "message": "preempting to accommodate a higher priority pod"}
    target = {"type": "DisruptionTarget", "status": "True", **words}
    cluster.set_status(pod, phase="Failed", conditions=[target])
    status = status_of(provider, job)
    assert status.state is JobState.CANCELLED
    assert "preempting to accommodate" in status.message


def test_a_cluster_that_does_not_answer_leaves_the_state_unknown(cluster, make_provider):
    provider = make_provider()
    job = provider.submit("sleep 1000", 1)
    cluster.denied = {"list jobs"}
    status = status_of(provider, job)
    assert status.state is JobState.UNKNOWN
    assert "cannot list resource" in status.message
    cluster.denied = {"delete jobs"}
    assert provider.cancel([job]) == [False]
    cluster.denied = set()
    assert provider.cancel([job]) == [True]


def test_the_output_of_a_cancelled_block_is_kept(make_provider, wait_until, tmp_path):
    provider = make_provider()
    job = provider.submit(f"echo some output; touch {tmp_path}/written; sleep 1000", 1)
    wait_until((tmp_path / "written").exists)
    provider.cancel([job])
    assert "some output" in (status_of(provider, job).stdout or "")


def test_another_process_can_clean_up(cluster, make_provider, wait_until):
    provider = make_provider()
    jobs = [provider.submit("sleep 1000", 1) for _ in range(5)]
    (command,) = provider.cancel_commands(jobs)
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert all(job in result.stdout for job in jobs)
    wait_until(lambda: not cluster.remaining())


@pytest.mark.parametrize("variable", [False, True])
def test_a_relative_kubeconfig_is_found_from_other_directories(
    cluster, make_provider, monkeypatch, tmp_path, variable
):
    monkeypatch.chdir(tmp_path)
    relative = str(cluster.kubeconfig.relative_to(tmp_path))
    if variable:
        monkeypatch.setenv("KUBECONFIG", relative)
    provider = make_provider(kubeconfig=None if variable else relative)
    if not variable:
        monkeypatch.chdir("/")
    job = provider.submit("sleep 1000", 1)
    (command,) = provider.cancel_commands([job])
    assert command[command.index("--kubeconfig") + 1] == str(cluster.kubeconfig)


def refuse_to_delete(*jobs):
    def intrude(request: Request):
        if request.verb == "delete" and request.name in jobs:
            raise Refusal(403, "Forbidden", f"a webhook protects {request.name}")

    return intrude


def test_a_refused_deletion_does_not_hide_other_blocks(cluster, make_provider, wait_until):
    cluster.nodes.images = {"python:3.12"}
    stuck = make_provider(image="pythn:3.12")
    waiting = [stuck.submit("true", 1) for _ in range(2)]
    cluster.intrude = refuse_to_delete(waiting[0])
    wait_until(lambda: {status.state for status in stuck.status(waiting)} == {JobState.FAILED})
    assert [job["metadata"]["name"] for job in cluster.objects.find("jobs")] == waiting[:1]
    assert stuck.has_leftovers
    cluster.intrude = refuse_to_delete()
    stuck.status([])
    assert cluster.remaining() == [], "the deletion is requested again"
    assert not stuck.has_leftovers


def test_a_refused_deletion_leaves_only_that_job(cluster, make_provider, caplog):
    provider = make_provider()
    jobs = [provider.submit("sleep 1000", 1) for _ in range(3)]
    cluster.intrude = refuse_to_delete(jobs[1])
    provider.close()
    assert [job["metadata"]["name"] for job in cluster.objects.find("jobs")] == [jobs[1]]
    assert f"a webhook protects {jobs[1]}" in caplog.text
    cluster.intrude = refuse_to_delete()


def test_a_job_whose_creation_seemed_to_fail_is_no_orphan(cluster, make_provider):
    provider = make_provider()
    provider.prepare("run")
    created = []

    def intrude(request: Request):
        if request.verb == "create" and request.resource == "jobs" and not created:
            created.append(cluster.objects.create("jobs", "default", request.body))
            cluster.start_job(created[0])
            raise Refusal(500, "InternalError", "etcdserver: request timed out")

    cluster.intrude = intrude
    job = provider.submit("sleep 1000", 1)
    assert [item["metadata"]["name"] for item in cluster.objects.find("jobs")] == [job]
    provider.close()
    assert cluster.remaining() == []
    provider.close()


def test_a_driver_in_the_cluster_owns_its_blocks(cluster, make_provider, monkeypatch):
    body = {"metadata": {"name": "driver-x"}, "spec": {}, "status": {"phase": "Running"}}
    driver = cluster.objects.create("pods", "default", body)
    monkeypatch.setattr("parsl.providers.kubernetes.access.is_inside", lambda: True)
    monkeypatch.setattr("parsl.providers.kubernetes.access.own_namespace", lambda: "default")
    monkeypatch.setenv("POD_NAME", "driver-x")
    provider = make_provider()
    provider.submit("sleep 1000", 1)
    (job,) = cluster.objects.find("jobs")
    (owner,) = job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Pod", driver["metadata"]["uid"])


def test_an_empty_run_is_not_all_runs(cluster, make_provider):
    provider = make_provider()
    job = provider.submit("sleep 1000", 1)
    for request in (provider.machines, provider.sweep):
        with pytest.raises(ValueError, match="that could stand for all runs"):
            request("")
    assert [item["metadata"]["name"] for item in cluster.objects.find("jobs")] == [job]


def test_its_place(cluster, make_provider, tmp_path):
    assert make_provider(namespace="lab").place == f"Kubernetes {cluster.url} lab"
    assert make_provider(kubeconfig=str(tmp_path / "missing"), context="c").place == "Kubernetes c default"


def test_the_cost(make_provider):
    assert make_provider().hourly_cost() is None
    assert make_provider(price_per_hour=0.5, max_blocks=4, nodes_per_block=2).hourly_cost() == 4.0
    assert make_provider(price_per_hour=0.1, init_blocks=4, max_blocks=2).hourly_cost() == 0.4
