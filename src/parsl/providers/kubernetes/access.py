"""Checks before the first block: whether a cluster accepts it; and the pod of the driver itself."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

from parsl.errors import ConfigurationError
from parsl.providers.api.failure import FailureKind, ServiceError
from parsl.providers.kubernetes.cluster import RIGHTS, SERVICE_RIGHT, Cluster
from parsl.providers.kubernetes.credentials import is_inside, own_namespace
from parsl.providers.kubernetes.failures import advice_about
from parsl.vocabulary.findings import Finding, Topic, with_advice

logger = logging.getLogger(__name__)

_PREFIX = "KubernetesProvider: "
_GRANT = "An administrator can grant them: they are in examples/kubernetes/rights.yaml."
#: What an admission webhook answers that cannot check without creating.
_NO_DRY_RUN = "dry run"


def check_access(cluster: Cluster, manifest: dict[str, Any]) -> str:
    """Check rights, namespace and pods, with a Job that the cluster checks and does not create.

    Args:
        cluster: The cluster.
        manifest: The Job.

    Returns:
        Why blocks have to wait, if a quota is used up; otherwise nothing.

    Raises:
        ConfigurationError: The cluster would refuse each block.
    """
    try:
        _check_rights(cluster, manifest)
        cluster.create_job(manifest, dry_run=True)
    except ServiceError as error:
        if error.kind is FailureKind.PERMANENT and _NO_DRY_RUN in error.failure.message:
            return ""
        text = with_advice(str(error), advice_about(error, cluster.namespace))
        if error.kind is FailureKind.QUOTA:
            return text
        raise ConfigurationError(f"{_PREFIX}{text}") from error
    return ""


def findings(connect: Callable[[], Cluster], manifest: dict[str, Any]) -> list[Finding]:
    """Return what a user should know about the access to the cluster, without creating anything."""
    topic = Topic("Kubernetes")
    try:
        cluster = connect()
        problem = check_access(cluster, manifest)
    except ConfigurationError as error:
        return [topic.error(str(error).removeprefix(_PREFIX).removeprefix(f"{topic.name}: "))]
    where = f"namespace {cluster.namespace} of {cluster.host}"
    if problem:
        return [topic.warning(f"Blocks wait in {where}. {problem}")]
    image = manifest["spec"]["template"]["spec"]["containers"][0]["image"]
    unchecked = f"Whether nodes can pull the image {image} shows only with the first block."
    return [topic.ok(f"Blocks would be accepted in {where}."), topic.note(unchecked)]


def driver_reference(cluster: Cluster) -> dict[str, Any] | None:
    """Return a reference to the pod that this process runs in, which owns the blocks; None outside.

    When that pod is removed, the cluster removes its blocks too.
    """
    if not is_inside() or own_namespace() != cluster.namespace:
        return None
    name = os.environ.get("POD_NAME") or os.environ.get("HOSTNAME", "")
    try:
        pod = cluster.pod(name) if name else None
    except ServiceError as error:
        logger.warning("Blocks will not be removed together with the driver's pod: %s", error)
        return None
    if pod is None:
        logger.warning("This process is in no pod named %r: set POD_NAME to the name of its pod", name)
        return None
    return {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": pod["metadata"]["uid"]}


def _check_rights(cluster: Cluster, manifest: dict[str, Any]) -> None:
    rights = (*RIGHTS, SERVICE_RIGHT) if manifest["spec"]["completions"] > 1 else RIGHTS
    try:
        missing = cluster.missing_rights(rights)
    except ServiceError as error:
        if error.failure.code != "Forbidden":
            raise
        return  # these credentials may not even ask; the Job shows whether they suffice
    if missing:
        listed = ", ".join(map(str, missing))
        raise ConfigurationError(
            f"{_PREFIX}the credentials lack rights in namespace {cluster.namespace}: {listed}. {_GRANT}"
        )
