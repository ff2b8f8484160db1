from __future__ import annotations

import pytest

from parsl.jobs.states import JobState
from parsl.providers.kubernetes.block_state import (
    Known,
    failed_creation,
    has_finished,
    judge,
    needs_explanation,
)

JOB = {"status": {}}
KNOWN = Known(nodes=1, pods_seen=1)
IMAGE = 'rpc error: code = NotFound desc = failed to resolve "x": x: not found'


def pod(phase="Running", *, conditions=(), waiting=None, terminated=None, deleted=False, **status):
    state = {"waiting": waiting} if waiting else {"terminated": terminated} if terminated else {"running": {}}
    metadata = {"name": "p", **({"deletionTimestamp": "now"} if deleted else {})}
    statuses = [{"name": "parsl", "state": state}]
    spec = {"containers": [{"name": "parsl", "resources": {"limits": {"memory": "1Gi"}}}]}
    status |= {"phase": phase, "conditions": list(conditions), "containerStatuses": statuses}
    return {"metadata": metadata, "spec": spec, "status": status}


def condition(kind, reason="", message="", status="True"):
    return {"type": kind, "status": status, "reason": reason, "message": message}


def job(kind, reason=""):
    return {"status": {"conditions": [condition(kind, reason, "the controller's words")]}}


def waiting(reason, message=""):
    return pod("Pending", waiting={"reason": reason, "message": message})


UNSCHEDULABLE = condition("PodScheduled", "Unschedulable", "0/3 nodes are available", status="False")
PREEMPTED = condition("DisruptionTarget", "PreemptionByScheduler", "preempting to accommodate another pod")


@pytest.mark.parametrize(
    ("pods", "state", "message"),
    [
        ([pod()], JobState.RUNNING, None),
        ([pod("Pending", conditions=[UNSCHEDULABLE])], JobState.HELD, "0/3 nodes are available"),
        ([waiting("ContainerCreating")], JobState.PENDING, None),
        ([waiting("ErrImagePull", IMAGE)], JobState.FAILED, "not found"),
        ([waiting("ErrImagePull", "dial tcp: i/o timeout")], JobState.HELD, "i/o timeout"),
        ([waiting("ImagePullBackOff", 'Back-off pulling image "x"')], JobState.HELD, "Back-off pulling"),
        ([waiting("InvalidImageName", "couldn't parse image")], JobState.FAILED, "couldn't parse"),
        ([waiting("CreateContainerConfigError", 'secret "s" not found')], JobState.FAILED, 'secret "s"'),
        ([pod("Succeeded")], JobState.COMPLETED, None),
        ([pod("Failed", terminated={"exitCode": 3, "reason": "Error"})], JobState.FAILED, "exit code 3"),
        ([pod("Failed", terminated={"exitCode": 137, "reason": "OOMKilled"})], JobState.FAILED, "of 1Gi"),
        ([pod("Failed", reason="DeadlineExceeded")], JobState.TIMEOUT, "DeadlineExceeded"),
        ([pod("Failed", conditions=[PREEMPTED])], JobState.CANCELLED, "preempting to"),
        ([pod("Failed", reason="NodeShutdown")], JobState.CANCELLED, "NodeShutdown"),
        ([pod("Failed", deleted=True)], JobState.CANCELLED, "not by this run"),
        ([], JobState.CANCELLED, "not by this run"),
        ([pod("Failed")], JobState.FAILED, "without a reason"),
    ],
)
def test_the_state_of_a_block_of_one_pod(pods, state, message):
    verdict = judge(JOB, pods, KNOWN)
    assert verdict.state is state
    assert (message is None and verdict.message is None) or message in verdict.message


def test_a_greedy_pod_has_failed_although_the_kubelet_terminates_it():
    text = "The node was low on resource: ephemeral-storage."
    kubelet = condition("DisruptionTarget", "TerminationByKubelet", text)
    verdict = judge(JOB, [pod("Failed", reason="Evicted", message=text, conditions=[kubelet])], KNOWN)
    assert (verdict.state, verdict.message) == (JobState.FAILED, f"Evicted: {text}")


def test_a_job_without_pods():
    assert judge(JOB, [], Known()).state is JobState.PENDING
    assert judge(None, [], KNOWN).state is JobState.CANCELLED
    assert judge(None, [pod(deleted=True)], KNOWN).state is JobState.RUNNING
    assert judge(job("Failed", "DeadlineExceeded"), [], Known()).state is JobState.TIMEOUT
    assert judge(job("Failed", "BackoffLimitExceeded"), [], Known()).state is JobState.FAILED
    assert judge(job("Complete"), [], KNOWN).state is JobState.COMPLETED


def test_a_cancelled_block_ends_with_its_pods():
    known = KNOWN._replace(is_cancelled=True)
    assert judge(JOB, [pod()], known).state is JobState.RUNNING
    assert judge(JOB, [], known).message == "cancelled by this run"
    assert judge(job("Failed"), [], known).state is JobState.CANCELLED
    refused = Known(is_cancelled=True)
    assert judge(JOB, [], refused).state is JobState.PENDING, "its Job is still there, and may start pods"
    assert judge(None, [pod("Failed", terminated={"exitCode": 143})], known).state is JobState.CANCELLED


def test_a_block_of_several_pods():
    known = Known(nodes=3, pods_seen=3)
    assert judge(JOB, [pod(), pod(), pod("Succeeded")], known).state is JobState.RUNNING
    assert judge(JOB, [pod(), pod(), waiting("ContainerCreating")], known).state is JobState.RUNNING
    assert judge(JOB, [pod(), pod()], known).state is JobState.CANCELLED
    assert judge(JOB, [pod("Succeeded")] * 3, known).state is JobState.COMPLETED
    ended = pod("Failed", terminated={"exitCode": 3})
    late = pod("Failed", reason="DeadlineExceeded")
    assert judge(JOB, [ended, late, pod()], known).state is JobState.TIMEOUT
    two = [pod(), pod("Pending", conditions=[UNSCHEDULABLE])]
    assert judge(JOB, two, Known(nodes=2, pods_seen=2)).state is JobState.HELD


def test_what_holds_for_ever():
    assert judge(JOB, [waiting("ImagePullBackOff")], KNOWN).can_never_run
    assert not judge(JOB, [pod("Pending", conditions=[UNSCHEDULABLE])], KNOWN).can_never_run
    assert failed_creation('serviceaccount "x" not found').can_never_run
    assert not failed_creation("pods is forbidden: exceeded quota: team").can_never_run


def test_explanations_are_needed_while_nothing_shows_why():
    assert needs_explanation(judge(JOB, [], Known()))
    assert not needs_explanation(judge(JOB, [pod()], KNOWN))


def test_a_finished_job_need_not_be_deleted():
    assert has_finished(None)
    assert has_finished(job("Complete"))
    assert not has_finished(JOB)
