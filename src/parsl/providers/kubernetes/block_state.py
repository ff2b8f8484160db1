"""What the Job and the pods of a block mean for the block: plain decisions about the API server's answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from parsl.providers.kubernetes.manifests import CONTAINER
from parsl.vocabulary.job_states import TERMINAL_STATES, JobState

Answer = Mapping[str, Any]

#: Reasons why a container waits that pass by themselves, or say nothing.
_USUAL_WAITS = frozenset({"ContainerCreating", "PodInitializing"})
#: Reasons that no second attempt changes.
_FATAL_WAITS = frozenset({"InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError"})
_PULL_FAILURES = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"})
#: Words of registries and kubelets for an image that does not exist, or that may not be pulled.
_NO_SUCH_IMAGE = ("not found", "unauthorized", "denied", "manifest unknown", "does not exist", "forbidden")
#: A kubelet gives these reasons when it ends pods for the sake of the node or of other pods.
_TAKEN_AWAY = frozenset({"Preempting", "NodeShutdown", "Shutdown", "Terminated", "NodeLost", "NodeAffinity"})
_LOW_ON_RESOURCE = "low on resource"


class Verdict(NamedTuple):
    """The state of a block."""

    state: JobState
    message: str | None = None
    exit_code: int | None = None
    can_never_run: bool = False

    @property
    def is_end(self) -> bool:
        return self.state in TERMINAL_STATES


class Known(NamedTuple):
    """What was known about a block before."""

    nodes: int = 1
    #: The largest number of pods seen at once.
    pods_seen: int = 0
    is_cancelled: bool = False


def judge(job: Answer | None, pods: Sequence[Answer], known: Known) -> Verdict:
    """Return the state of a block.

    Args:
        job: Its Job; None if there is none any more.
        pods: Its pods.
        known: What was known before.
    """
    unfinished = [pod for pod in pods if _phase(pod) not in ("Succeeded", "Failed")]
    verdict = _judge_job(job, pods, unfinished, known) if job is not None else _judge_removed(unfinished)
    if known.is_cancelled and verdict.is_end:
        return Verdict(JobState.CANCELLED, "cancelled by this run")
    return verdict


def _judge_job(job: Answer, pods: Sequence[Answer], unfinished: Sequence[Answer], known: Known) -> Verdict:
    if failed := [pod for pod in pods if _phase(pod) == "Failed"]:
        return min((_how_failed(pod) for pod in failed), key=_severity)
    succeeded = len(pods) - len(unfinished)
    if _condition(job, "Complete") or succeeded >= known.nodes:
        return Verdict(JobState.COMPLETED, exit_code=0)
    if len(pods) < known.pods_seen:
        return Verdict(JobState.CANCELLED, "a pod of the block was deleted, and not by this run")
    if (condition := _condition(job, "Failed")) is not None:
        is_late = condition.get("reason") == "DeadlineExceeded"
        return Verdict(JobState.TIMEOUT if is_late else JobState.FAILED, _words(condition))
    return _judge_waiting(unfinished)


def has_finished(job: Answer | None) -> bool:
    """Return whether nothing of a Job runs, or will run, so that it need not be deleted for that."""
    return job is None or bool(_condition(job, "Complete") or _condition(job, "Failed"))


def failed_creation(message: str) -> Verdict:
    """Return the state of a block whose pods the cluster does not create; ``message`` is the event's."""
    return Verdict(JobState.HELD, message, can_never_run="exceeded quota" not in message)


def needs_explanation(verdict: Verdict) -> bool:
    """Return whether a block waits, and its objects do not show why; events may."""
    return verdict.state is JobState.PENDING and verdict.message is None


def _judge_removed(unfinished: Sequence[Answer]) -> Verdict:
    if unfinished:
        return Verdict(JobState.RUNNING, "the Job was deleted, and its pods are ending")
    return Verdict(JobState.CANCELLED, "the Job was deleted, and not by this run")


def _judge_waiting(pods: Sequence[Answer]) -> Verdict:
    verdicts = [_judge_pod(pod) for pod in pods]
    for state in (JobState.FAILED, JobState.HELD, JobState.RUNNING, JobState.PENDING):
        for verdict in verdicts:
            if verdict.state is state:
                return verdict
    return Verdict(JobState.PENDING)


def _judge_pod(pod: Answer) -> Verdict:
    scheduled = _condition(pod, "PodScheduled", "False")
    if scheduled is not None:
        return Verdict(JobState.HELD, _words(scheduled))
    for waiting in _waiting(pod):
        reason, words = str(waiting.get("reason")), _words(waiting)
        is_no_image = reason in _PULL_FAILURES and any(word in words.lower() for word in _NO_SUCH_IMAGE)
        if reason in _FATAL_WAITS or is_no_image:
            return Verdict(JobState.FAILED, words)
        if reason not in _USUAL_WAITS:
            return Verdict(JobState.HELD, words, can_never_run=True)
    return Verdict(JobState.RUNNING if _phase(pod) == "Running" else JobState.PENDING)


def _how_failed(pod: Answer) -> Verdict:
    status = pod.get("status", {})
    reason, message = status.get("reason"), _words(status)
    if reason == "DeadlineExceeded":
        return Verdict(JobState.TIMEOUT, message)
    disruption = _condition(pod, "DisruptionTarget")
    is_greedy = _LOW_ON_RESOURCE in message
    if disruption is not None and not is_greedy and _LOW_ON_RESOURCE not in _words(disruption):
        return Verdict(JobState.CANCELLED, f"taken away by the cluster: {_words(disruption)}")
    terminated = _terminated(pod)
    exit_code = terminated.get("exitCode")
    if reason in _TAKEN_AWAY:
        return Verdict(JobState.CANCELLED, f"taken away by the cluster: {message}", exit_code)
    if _is_being_deleted(pod):
        return Verdict(JobState.CANCELLED, "a pod of the block was deleted, and not by this run", exit_code)
    if terminated.get("reason") == "OOMKilled":
        limit = _memory_limit(pod)
        text = f"OOMKilled: the container used more than its memory limit{limit}. Raise max_mem."
        return Verdict(JobState.FAILED, text, exit_code)
    if not message and exit_code is not None:
        message = f"the container ended with exit code {exit_code}: {_words(terminated)}".rstrip(": ")
    return Verdict(JobState.FAILED, message or "a pod failed, without a reason", exit_code)


def _severity(verdict: Verdict) -> int:
    """Return the rank of the failure of a pod: the others of the block may have failed because of it."""
    return (JobState.TIMEOUT, JobState.CANCELLED, JobState.FAILED).index(verdict.state)


def _phase(pod: Answer) -> str:
    return str(pod.get("status", {}).get("phase", "Pending"))


def _is_being_deleted(pod: Answer) -> bool:
    return "deletionTimestamp" in pod.get("metadata", {})


def _condition(owner: Answer, kind: str, status: str = "True") -> Answer | None:
    for condition in owner.get("status", {}).get("conditions") or ():
        if condition.get("type") == kind and condition.get("status") == status:
            return dict(condition)
    return None


def _words(of: Answer) -> str:
    """Return the reason and the message of a condition, a state or a status."""
    return ": ".join(str(of[name]) for name in ("reason", "message") if of.get(name))


def _waiting(pod: Answer) -> list[Answer]:
    status = pod.get("status", {})
    every = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    states = (each.get("state") or {} for each in every)
    return [state["waiting"] for state in states if state.get("waiting", {}).get("reason")]


def _terminated(pod: Answer) -> Answer:
    """Return how a container of a pod ended, Parsl's own container first; empty if that is not known."""
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    for status in sorted(statuses, key=lambda each: each.get("name") != CONTAINER):
        if ended := (status.get("state") or {}).get("terminated"):
            return dict(ended)
    return {}


def _memory_limit(pod: Answer) -> str:
    for container in pod.get("spec", {}).get("containers") or ():
        if container.get("name") == CONTAINER:
            limit = container.get("resources", {}).get("limits", {}).get("memory")
            return f" of {limit}" if limit else ""
    return ""
