"""The objects of the cluster: what is stored, listed and deleted, with the answers of a real API server."""

from __future__ import annotations

import base64
import itertools
import re
import threading
import uuid
from datetime import datetime, timezone
from typing import Any

Json = dict[str, Any]
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
_GROUPS = {"jobs": "batch", "selfsubjectaccessreviews": "authorization.k8s.io"}


class Refusal(Exception):
    """An answer that is an error, as a Status object."""

    def __init__(self, code: int, reason: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.code = code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.body = {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code,
        }  # fmt: skip


def qualified(resource: str) -> str:
    """Return the name of a resource as error messages have it: ``jobs.batch``."""
    group = _GROUPS.get(resource)
    return f"{resource}.{group}" if group else resource


def not_found(resource: str, name: str) -> Refusal:
    return Refusal(404, "NotFound", f'{qualified(resource)} "{name}" not found')


class Objects:
    """The store. Any thread may call the methods; they return the stored objects themselves."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._objects: dict[tuple[str, str, str], Json] = {}
        self._versions = itertools.count(1)

    def create(self, resource: str, namespace: str, body: Json, *, store: bool = True) -> Json:
        name = str(body.get("metadata", {}).get("name", ""))
        if not _NAME.fullmatch(name):
            message = f'{qualified(resource)} "{name}" is invalid: metadata.name: Invalid value: "{name}"'
            raise Refusal(422, "Invalid", message)
        with self.lock:
            if (resource, namespace, name) in self._objects:
                raise Refusal(409, "AlreadyExists", f'{qualified(resource)} "{name}" already exists')
            now = datetime.now(timezone.utc).isoformat()
            new = {"namespace": namespace, "uid": str(uuid.uuid4()), "creationTimestamp": now}
            created = {**body, "metadata": {**body["metadata"], **new}}
            if "stringData" in created:
                texts = created.pop("stringData")
                encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
                created["data"] = {**created.get("data", {}), **encoded}
            if store:
                self._objects[resource, namespace, name] = created
            return created

    def get(self, resource: str, namespace: str, name: str) -> Json:
        try:
            return self._objects[resource, namespace, name]
        except KeyError:
            raise not_found(resource, name) from None

    def delete(self, resource: str, namespace: str, name: str) -> Json:
        with self.lock:
            found = self.get(resource, namespace, name)
            del self._objects[resource, namespace, name]
            return found

    def find(self, resource: str, namespace: str | None = None, **selectors: str) -> list[Json]:
        """Return objects, selected by ``labels`` and ``fields``."""
        with self.lock:
            every = [item for key, item in self._objects.items() if key[0] == resource]
        every = [item for item in every if namespace in (None, item["metadata"]["namespace"])]
        labels, fields = _pairs(selectors.get("labels", "")), _pairs(selectors.get("fields", ""))
        return [item for item in every if _has_labels(item, labels) and _has_fields(item, fields)]

    def owned_by(self, uid: str) -> list[tuple[str, Json]]:
        """Return what refers to an owner, with the resource of each."""
        with self.lock:
            return [(key[0], item) for key, item in self._objects.items() if _is_owned(item, uid)]


def _pairs(selector: str) -> list[tuple[str, str]]:
    return [(part.partition("=")[0], part.partition("=")[2]) for part in selector.split(",") if part]


def _has_labels(item: Json, labels: list[tuple[str, str]]) -> bool:
    own = item["metadata"].get("labels", {})
    return all(own.get(name) == value for name, value in labels)


def _has_fields(item: Json, fields: list[tuple[str, str]]) -> bool:
    for path, value in fields:
        found: Any = item
        for step in path.split("."):
            found = found.get(step, {})
        if found != value:
            return False
    return True


def _is_owned(item: Json, uid: str) -> bool:
    return any(owner.get("uid") == uid for owner in item["metadata"].get("ownerReferences", ()))
