"""The cluster as a whole: its API, its Jobs, and what a test can do to it."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.kubernetes_cluster.objects import Json, Objects, Refusal, not_found, qualified
from tests.support.kubernetes_cluster.pods import Nodes
from tests.support.kubernetes_cluster.server import TOKEN, Request, Server

USER = "system:serviceaccount:default:parsl"
_PAGE = 3  # small, so that every listing has pages


class KubernetesCluster:
    """A cluster whose pods are processes of this machine.

    Args:
        directory: A directory for its files; its kubeconfig is :attr:`kubeconfig`.
    """

    def __init__(self, directory: Path) -> None:
        self.namespaces = {"default"}
        #: Rights that the user lacks, such as ``"create jobs"``.
        self.denied: set[str] = set()
        #: The maximum number of Jobs, and of pods.
        self.max_jobs = self.max_pods = 1000
        #: Called with each request; may raise Refusal.
        self.intrude: Callable[[Request], None] = lambda request: None
        self.requests: Counter[str] = Counter()
        self.objects = Objects()
        self.nodes = Nodes(directory, self.objects, self._pod_changed)
        self._numbers = itertools.count()
        self._server = Server(self._answer)
        self.kubeconfig = directory / "kubeconfig"
        self.write_kubeconfig(self.kubeconfig)

    def write_kubeconfig(self, path: Path, token: str = TOKEN) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        context = {"cluster": "stand-in", "user": "parsl"}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "stand-in", "cluster": {"server": self._server.url}}],
            "users": [{"name": "parsl", "user": {"token": token}}],
            "contexts": [{"name": "stand-in", "context": context}],
            "current-context": "stand-in",
        }
        path.write_text(json.dumps(content))

    @property
    def url(self) -> str:
        return self._server.url

    def close(self) -> None:
        self._server.close()
        self.nodes.host.close()

    def remaining(self) -> list[str]:
        """Return the names of all Jobs, pods, Secrets and Services, and of running pods."""
        names = [
            f"{resource}/{item['metadata']['name']}"
            for resource in ("jobs", "pods", "secrets", "services")
            for item in self.objects.find(resource)
        ]
        return names + self.nodes.host.running()

    def pods_of(self, job: str) -> list[Json]:
        return self.objects.find("pods", labels=f"job-name={job}")

    def delete_pods_of(self, job: str) -> None:
        """Delete the pods of a Job, as ``kubectl delete pod`` of another user does."""
        for pod in self.pods_of(job):
            self._delete("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])

    def set_status(self, pod: Json, **status: object) -> None:
        """Kill a pod, and let its status be another one: evicted, for example."""
        with self.objects.lock:
            pod["status"] |= status
        self.nodes.kill(pod)
        self._pod_changed(pod)

    @contextmanager
    def refusing(self, every: int, refusal: Callable[[], Refusal]) -> Iterator[None]:
        """Refuse one of so many requests."""
        numbers = itertools.count(1)

        def intrude(request: Request) -> None:
            if next(numbers) % every == 0:
                raise refusal()

        self.intrude = intrude
        yield
        self.intrude = lambda request: None

    def _answer(self, request: Request) -> Json | str:
        right = f"{request.verb} {request.kind}"
        self.requests[right] += 1
        self.intrude(request)
        if request.resource == "selfsubjectaccessreviews":
            return self._review(request)
        if right in self.denied:
            raise Refusal(403, "Forbidden", _forbidden(request))
        handler = {"create": self._create_requested, "list": self._list, "get": self._get}.get(request.verb)
        if handler is not None:
            return handler(request)
        return self._delete(request.resource, request.namespace, request.name)

    def _review(self, request: Request) -> Json:
        needed = request.body["spec"]["resourceAttributes"]
        name = "/".join(filter(None, (needed["resource"], needed.get("subresource"))))
        return {**request.body, "status": {"allowed": f"{needed['verb']} {name}" not in self.denied}}

    def _create_requested(self, request: Request) -> Json:
        if request.namespace not in self.namespaces:
            raise not_found("namespaces", request.namespace)
        is_real = request.query.get("dryRun") != "All"
        if request.resource == "jobs" and len(self.objects.find("jobs")) >= self.max_jobs:
            name = request.body["metadata"]["name"]
            limit = f"requested: count/jobs.batch=1, used: count/jobs.batch={self.max_jobs}"
            message = f'jobs.batch "{name}" is forbidden: exceeded quota: jobs, {limit}'
            raise Refusal(403, "Forbidden", message)
        created = self.objects.create(request.resource, request.namespace, request.body, store=is_real)
        if is_real and request.resource == "jobs":
            self.start_job(created)
        if is_real and request.resource == "secrets":
            for pod in self.objects.find("pods", request.namespace):
                if "ContainerCreating" in json.dumps(pod["status"]):
                    self.nodes.mount(pod)
        return created

    def _list(self, request: Request) -> Json:
        query = request.query
        labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
        items = self.objects.find(request.resource, request.namespace, labels=labels, fields=fields)
        start = int(query.get("continue", 0))
        end = start + min(_PAGE, int(query.get("limit", _PAGE)))
        more = {"continue": str(end)} if end < len(items) else {}
        return {"kind": "List", "apiVersion": "v1", "metadata": more, "items": items[start:end]}

    def _get(self, request: Request) -> Json | str:
        found = self.objects.get(request.resource, request.namespace, request.name)
        if request.subresource != "log":
            return found
        if found["status"]["phase"] == "Pending":
            message = f'container "parsl" in pod "{request.name}" is waiting to start: ContainerCreating'
            raise Refusal(400, "BadRequest", message)
        return self.nodes.log(request.name)

    def _delete(self, resource: str, namespace: str, name: str) -> Json:
        """Delete an object, then what it owns; a pod after its processes have ended."""
        found = self.objects.get(resource, namespace, name)
        with self.objects.lock:
            found["metadata"]["deletionTimestamp"] = "2026-11-29T00:00:00Z"
        if resource == "pods":
            self.nodes.kill(found)
        try:
            self.objects.delete(resource, namespace, name)
        except Refusal:
            return found  # another request was faster
        for kind, item in self.objects.owned_by(found["metadata"]["uid"]):
            try:
                self._delete(kind, namespace, item["metadata"]["name"])
            except Refusal:
                pass
        if resource == "pods":
            self._pod_changed(found)
        return found

    def start_job(self, job: Json) -> None:
        """Create the pods of a Job, as the Job controller does."""
        spec, name = job["spec"], job["metadata"]["name"]
        job["status"] = {}
        for index in range(spec["completions"]):
            if len(self.objects.find("pods")) >= self.max_pods:
                self.warn(job, "FailedCreate", f'pods "{name}" is forbidden: exceeded quota: pods')
                return
            metadata = json.loads(json.dumps(spec["template"].get("metadata", {})))
            metadata.setdefault("labels", {})["job-name"] = name
            infix = ""
            if spec.get("completionMode") == "Indexed":
                metadata.setdefault("annotations", {})["batch.kubernetes.io/job-completion-index"] = str(
                    index
                )
                infix = f"{index}-"
            owner = {"kind": "Job", "name": name, "uid": job["metadata"]["uid"]}
            metadata |= {"name": f"{name}-{infix}{next(self._numbers):05d}", "ownerReferences": [owner]}
            body = {"metadata": metadata, "spec": spec["template"]["spec"]}
            pod = self.objects.create("pods", job["metadata"]["namespace"], body)
            self.nodes.run(pod)

    def _pod_changed(self, pod: Json) -> None:
        """Update the Job of a pod that has ended, or was deleted, as the Job controller does."""
        job_name, namespace = pod["metadata"]["labels"].get("job-name", ""), pod["metadata"]["namespace"]
        try:
            job = self.objects.get("jobs", namespace, job_name)
        except Refusal:
            return
        pods = self.pods_of(job_name)
        is_lost = len(pods) < job["spec"]["completions"]
        kind = ""
        if is_lost or any(each["status"]["phase"] == "Failed" for each in pods):
            kind = "Failed"
        elif all(each["status"]["phase"] == "Succeeded" for each in pods):
            kind = "Complete"
        if kind and not job["status"].get("conditions"):
            text = "Job has reached the specified backoff limit"
            more = {"reason": "BackoffLimitExceeded", "message": text} if kind == "Failed" else {}
            job["status"]["conditions"] = [{"type": kind, "status": "True", **more}]
            for each in pods:
                if each["status"]["phase"] in ("Running", "Pending"):
                    self._delete("pods", namespace, each["metadata"]["name"])

    def warn(self, about: Json, reason: str, message: str) -> None:
        """Record an event about an object, as controllers and kubelets do."""
        name, namespace = about["metadata"]["name"], about["metadata"]["namespace"]
        body = {
            "metadata": {"name": f"{name}.{next(self._numbers)}"},
            "involvedObject": {"name": name},
            "type": "Warning",
            "reason": reason,
            "message": message,
            "lastTimestamp": f"{next(self._numbers):020d}",
        }
        self.objects.create("events", namespace, body)


def _forbidden(request: Request) -> str:
    resource = qualified(request.resource)
    return (
        f'{resource} is forbidden: User "{USER}" cannot {request.verb} resource "{request.kind}" in API '
        f'group "batch" in the namespace "{request.namespace}"'
    )
