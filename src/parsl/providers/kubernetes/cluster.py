"""The requests to a Kubernetes cluster: everything that this provider needs of its API."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from parsl.providers.api.calls import Calls, pages
from parsl.providers.api.failure import ServiceError
from parsl.providers.api.rate_limit import TokenBucket
from parsl.providers.kubernetes.failures import classify, is_existing, is_missing
from parsl.providers.kubernetes.manifests import BLOCK_LABEL, CONTAINER

#: How long one attempt may take to connect, and to answer, in seconds.
_ATTEMPT_S = (5.0, 20.0)
_DEADLINE_S = 20.0
#: The maximum rate of requests, per second, and how many may be sent at once.
_RATE, _BURST = 50.0, 100
_PAGE = 500
_MAX_LOG_LINES = 5000


class Right(NamedTuple):
    """A right that this provider needs in its namespace."""

    verb: str
    group: str
    resource: str
    subresource: str = ""

    def __str__(self) -> str:
        name = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {name}"


RIGHTS = (
    Right("create", "batch", "jobs"),
    Right("list", "batch", "jobs"),
    Right("delete", "batch", "jobs"),
    Right("get", "", "pods"),
    Right("list", "", "pods"),
    Right("get", "", "pods", "log"),
    Right("list", "", "events"),
    Right("create", "", "secrets"),
)
#: Needed as well if a block has several nodes.
SERVICE_RIGHT = Right("create", "", "services")


class Cluster:
    """Sends requests about one namespace. May be used from any thread.

    Objects are mappings, as in the API server's JSON.

    Args:
        client: The client library's ``ApiClient``.
        namespace: The namespace.
        deadline_s: How long a request may take with all its attempts, in seconds.
    """

    def __init__(self, client: Any, namespace: str, deadline_s: float = _DEADLINE_S) -> None:
        from kubernetes import client as library

        self.namespace = namespace
        self._client = client
        self._core = library.CoreV1Api(client)
        self._batch = library.BatchV1Api(client)
        self._reviews = library.AuthorizationV1Api(client)
        self._calls = Calls("Kubernetes", classify, limit=TokenBucket(_RATE, _BURST), deadline_s=deadline_s)

    def __repr__(self) -> str:
        return f"<Cluster {self._client.configuration.host} namespace={self.namespace}>"

    @property
    def host(self) -> str:
        """The URL of the API server."""
        return str(self._client.configuration.host)

    def create_job(self, manifest: dict[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """Create a Job; one that exists already was created by an earlier attempt.

        With ``dry_run``, the server only checks whether it would be accepted. The server refuses unknown
        fields; without ``Strict``, it drops them.
        """
        options = {"field_validation": "Strict", **({"dry_run": "All"} if dry_run else {})}
        create = self._batch.create_namespaced_job
        try:
            return self._json("create Job", create, self.namespace, manifest, **options)
        except ServiceError as error:
            found = self.jobs(f"{BLOCK_LABEL}={manifest['metadata']['name']}") if is_existing(error) else []
            if not found:
                raise
        return found[0]

    def create_secret(self, manifest: dict[str, Any]) -> None:
        self._create("create Secret", self._core.create_namespaced_secret, manifest)

    def create_service(self, manifest: dict[str, Any]) -> None:
        self._create("create Service", self._core.create_namespaced_service, manifest)

    def jobs(self, selector: str) -> list[dict[str, Any]]:
        """Return the Jobs with these labels, of all pages."""
        return self._list("list Jobs", self._batch.list_namespaced_job, label_selector=selector)

    def pods(self, selector: str) -> list[dict[str, Any]]:
        """Return the pods with these labels, of all pages."""
        return self._list("list pods", self._core.list_namespaced_pod, label_selector=selector)

    def pod(self, name: str) -> dict[str, Any] | None:
        try:
            return self._json("get pod", self._core.read_namespaced_pod, name, self.namespace)
        except ServiceError as error:
            if not is_missing(error):
                raise
            return None

    def warnings(self, name: str) -> list[dict[str, Any]]:
        """Return the warnings about an object, the oldest first."""
        field_selector = f"involvedObject.name={name},type=Warning"
        events = self._list("list events", self._core.list_namespaced_event, field_selector=field_selector)
        return sorted(events, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime")))

    def delete_job(self, name: str) -> None:
        """Delete a Job with its pods, its Secret and its Service; one that does not exist is no error."""
        delete = self._batch.delete_namespaced_job
        try:
            self._json("delete Job", delete, name, self.namespace, propagation_policy="Background")
        except ServiceError as error:
            if not is_missing(error):
                raise

    def log(self, pod: str, deadline_s: float) -> bytes:
        """Return what a pod has written; nothing if it does not exist or has not begun."""
        read = self._core.read_namespaced_pod_log
        options: dict[str, Any] = {"container": CONTAINER, "tail_lines": _MAX_LOG_LINES}
        try:
            return self._run("read log", read, (pod, self.namespace), options, deadline_s)
        except ServiceError as error:
            if not is_missing(error) and error.failure.code != "BadRequest":
                raise
            return b""

    def missing_rights(self, rights: Sequence[Right]) -> list[Right]:
        """Return those rights that these credentials lack in the namespace."""
        return [right for right in rights if not self._is_allowed(right)]

    def _is_allowed(self, right: Right) -> bool:
        attributes = {"namespace": self.namespace, **right._asdict()}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        body = {**review, "spec": {"resourceAttributes": attributes}}
        answer = self._json("review rights", self._reviews.create_self_subject_access_review, body)
        return bool(answer.get("status", {}).get("allowed"))

    def _create(self, name: str, create: Callable[..., Any], manifest: dict[str, Any]) -> None:
        try:
            self._json(name, create, self.namespace, manifest)
        except ServiceError as error:
            if not is_existing(error):
                raise

    def _list(self, name: str, method: Callable[..., Any], **options: Any) -> list[dict[str, Any]]:
        def fetch(token: str | None) -> tuple[list[dict[str, Any]], str | None]:
            following = {"_continue": token} if token else {}
            page = self._json(name, method, self.namespace, limit=_PAGE, **options, **following)
            return page.get("items") or [], page.get("metadata", {}).get("continue")

        return list(pages(fetch))

    def _json(self, name: str, method: Callable[..., Any], *arguments: Any, **options: Any) -> dict[str, Any]:
        answer = json.loads(self._run(name, method, arguments, options))
        return answer if isinstance(answer, dict) else {}

    def _run(
        self,
        name: str,
        method: Callable[..., Any],
        arguments: tuple[Any, ...],
        options: dict[str, Any],
        deadline_s: float | None = None,
    ) -> bytes:
        def request() -> bytes:
            answer = method(*arguments, _preload_content=False, _request_timeout=_ATTEMPT_S, **options)
            return _body(answer)

        return self._calls.run(name, request, deadline_s=deadline_s)


def _body(answer: Any) -> bytes:
    from kubernetes.client.exceptions import ApiException

    data = bytes(answer.data)
    if not 200 <= answer.status <= 299:  # not all versions of the library raise this themselves
        error = ApiException(status=answer.status, reason=answer.reason)
        error.body, error.headers = data, answer.headers
        raise error
    return data
