"""The objects of a block, as the API server gets them: Job, Secret, and for several nodes a Service."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from parsl.providers.kubernetes.overrides import Reserved, merged

#: The labels by which Parsl finds its objects.
RUN_LABEL, BLOCK_LABEL = "parsl-run", "parsl-block"
#: The label of all objects of Parsl.
MANAGER_LABEL = "app.kubernetes.io/managed-by"
OWN_LABELS = (RUN_LABEL, BLOCK_LABEL, MANAGER_LABEL)
CONTAINER = "parsl"
#: Where a pod finds the script that it runs. The script contains keys, so it is no argument of the command.
LAUNCH_VOLUME, LAUNCH_DIRECTORY, SCRIPT = "parsl-launch", "/var/run/parsl", "block.sh"
#: A name of this length leaves room for the number of the block and the index of a node.
_MAX_NAME_CHARS = 44
_NOT_NAME = re.compile(r"[^a-z0-9]+")

_ITS_SCRIPT = "starts the script of the block; use worker_init to run something before"
_ITS_LABEL = "is how Parsl finds its own pods"
_ITS_VOLUME = "contains the script of the block"
RESERVED = (
    Reserved(("spec", "restartPolicy"), "has to be Never: Parsl starts another block instead"),
    Reserved(("spec", "containers", CONTAINER, "command"), _ITS_SCRIPT),
    Reserved(("spec", "containers", CONTAINER, "args"), _ITS_SCRIPT),
    Reserved(("spec", "volumes", LAUNCH_VOLUME), _ITS_VOLUME),
    Reserved(("spec", "containers", CONTAINER, "volumeMounts", LAUNCH_DIRECTORY), _ITS_VOLUME),
    Reserved(
        ("spec", "activeDeadlineSeconds"), "is the walltime; use walltime=..., which Parsl reckons with"
    ),
    Reserved(("spec", "subdomain"), "is the name of the block's Service"),
    Reserved(("metadata", "labels", RUN_LABEL), _ITS_LABEL),
    Reserved(("metadata", "labels", BLOCK_LABEL), _ITS_LABEL),
)


@dataclass(frozen=True)
class PodSettings:
    """What all pods of a provider have in common."""

    image: str
    requests: Mapping[str, str]
    limits: Mapping[str, str]
    user_id: int | None = None
    group_id: int | None = None
    run_as_non_root: bool = False
    pull_secrets: Sequence[str] = ()
    pull_policy: str | None = None
    persistent_volumes: Sequence[tuple[str, str]] = ()
    service_account_name: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()
    affinity: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    #: Variables with the names of a Secret and of a key in it.
    secret_environment: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    #: Secrets all of whose keys become variables.
    environment_secrets: Sequence[str] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)
    walltime_s: int | None = None
    termination_grace_s: int = 30
    ttl_s: int = 600


@dataclass(frozen=True)
class BlockNames:
    """The names of the objects of one block, and where they belong."""

    job: str
    run: str
    nodes: int = 1
    #: A reference to the pod of the driver: when that is removed, so is the block. None outside the cluster.
    parent: Mapping[str, Any] | None = None

    @property
    def secret(self) -> str:
        return f"{self.job}-launch"

    @property
    def labels(self) -> dict[str, str]:
        return {
            MANAGER_LABEL: "parsl",
            RUN_LABEL: self.run,
            BLOCK_LABEL: self.job,
        }

    @property
    def node_names(self) -> list[str]:
        """The stable names of the pods of a block with several nodes, in the namespace; empty with one."""
        return [f"{self.job}-{index}.{self.job}" for index in range(self.nodes)] if self.nodes > 1 else []


def plain_name(text: str) -> str:
    """Return a text as part of a name in Kubernetes: lower-case letters, digits and hyphens; not too long."""
    plain = _NOT_NAME.sub("-", text.lower()).strip("-")[:_MAX_NAME_CHARS].strip("-") or "parsl"
    return plain if plain[0].isalpha() else f"p{plain}"


def selector(run: str) -> str:
    """Return the label selector of everything of one executor in a run.

    Raises:
        ValueError: The name is empty, which could stand for all runs.
    """
    if not run:
        raise ValueError("the name of the run is empty: that could stand for all runs")
    return f"{RUN_LABEL}={run}"


def job_manifest(settings: PodSettings, names: BlockNames) -> dict[str, Any]:
    """Return the Job of a block: one pod per node, which is never started twice.

    Raises:
        Conflict: The overrides cannot be merged.
    """
    spec: dict[str, Any] = {
        "backoffLimit": 0,
        "completions": names.nodes,
        "parallelism": names.nodes,
        "ttlSecondsAfterFinished": settings.ttl_s,
        "template": merged(_template(settings, names), settings.overrides, RESERVED),
    }
    if names.nodes > 1:
        spec["completionMode"] = "Indexed"
    metadata: dict[str, Any] = {"name": names.job, "labels": {**settings.labels, **names.labels}}
    if names.parent is not None:
        metadata["ownerReferences"] = [dict(names.parent)]
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def secret_manifest(names: BlockNames, job_uid: str, script: str) -> dict[str, Any]:
    """Return the Secret with the script of a block, which is removed together with its Job."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _owned(names, names.secret, job_uid),
        "immutable": True,
        "stringData": {SCRIPT: script},
    }


def service_manifest(names: BlockNames, job_uid: str) -> dict[str, Any]:
    """Return the headless Service that resolves the names of a block's pods, also before they are ready."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _owned(names, names.job, job_uid),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {BLOCK_LABEL: names.job},
        },
    }


def _owned(names: BlockNames, name: str, job_uid: str) -> dict[str, Any]:
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": names.job, "uid": job_uid}
    return {"name": name, "labels": names.labels, "ownerReferences": [owner]}


def _template(settings: PodSettings, names: BlockNames) -> dict[str, Any]:
    metadata: dict[str, Any] = {"labels": {**settings.labels, **names.labels}}
    if settings.annotations:
        metadata["annotations"] = dict(settings.annotations)
    return {"metadata": metadata, "spec": _pod_spec(settings, names)}


def _pod_spec(settings: PodSettings, names: BlockNames) -> dict[str, Any]:
    optional = {
        "activeDeadlineSeconds": settings.walltime_s,
        "serviceAccountName": settings.service_account_name,
        "imagePullSecrets": [{"name": name} for name in settings.pull_secrets],
        "nodeSelector": dict(settings.node_selector),
        "tolerations": [dict(one) for one in settings.tolerations],
        "affinity": dict(settings.affinity),
        "securityContext": _security_context(settings),
        "subdomain": names.job if names.nodes > 1 else None,
    }
    launch = {"name": LAUNCH_VOLUME, "secret": {"secretName": names.secret, "defaultMode": 0o444}}
    volumes = [
        {"name": f"claim-{number}", "persistentVolumeClaim": {"claimName": claim}}
        for number, (claim, _) in enumerate(settings.persistent_volumes)
    ]
    return {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": settings.termination_grace_s,
        "containers": [_container(settings)],
        "volumes": [launch, *volumes],
        **{name: value for name, value in optional.items() if value},
    }


def _security_context(settings: PodSettings) -> dict[str, Any]:
    ids = {"runAsUser": settings.user_id, "runAsGroup": settings.group_id}
    context: dict[str, Any] = {name: value for name, value in ids.items() if value is not None}
    if settings.run_as_non_root:
        context["runAsNonRoot"] = True
    return context


def _container(settings: PodSettings) -> dict[str, Any]:
    mounts = [{"name": LAUNCH_VOLUME, "mountPath": LAUNCH_DIRECTORY, "readOnly": True}]
    mounts += [
        {"name": f"claim-{number}", "mountPath": path}
        for number, (_, path) in enumerate(settings.persistent_volumes)
    ]
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": settings.image,
        "command": ["/bin/bash", f"{LAUNCH_DIRECTORY}/{SCRIPT}"],
        "resources": {"requests": dict(settings.requests), "limits": dict(settings.limits)},
        "volumeMounts": mounts,
    }
    if variables := _variables(settings):
        container["env"] = variables
    if settings.environment_secrets:
        container["envFrom"] = [{"secretRef": {"name": name}} for name in settings.environment_secrets]
    if settings.pull_policy:
        container["imagePullPolicy"] = settings.pull_policy
    return container


def _variables(settings: PodSettings) -> list[dict[str, Any]]:
    plain: list[dict[str, Any]] = [{"name": name, "value": it} for name, it in settings.environment.items()]
    secret = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
        for name, (secret, key) in settings.secret_environment.items()
    ]
    return plain + secret
