"""The requests to Compute Engine: one method each, sent again after failures that may pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

from parsl.providers.api.calls import Calls, pages
from parsl.providers.api.failure import ServiceError
from parsl.providers.api.rate_limit import TokenBucket
from parsl.providers.googlecloud.client import Access, Client
from parsl.providers.googlecloud.failures import failure_of, is_conflict
from parsl.providers.googlecloud.instance import Json

SERVICE = "Google Compute Engine"
#: The name of the request about a type of accelerators, for messages.
ACCELERATOR_REQUEST = "acceleratorTypes.get"
#: The service allows 25 requests per second and project for each of a few groups of methods.
_REQUESTS_PER_S, _BURST = 15.0, 30


class Requests:
    """Requests about one project. Any thread may call the methods; they raise ServiceError.

    Args:
        access: Where the services are, and as which account to use them.
        project: The id of the project.
        calls: Sends requests again after failures that may pass; by default with the service's rate limit.

    Raises:
        ConfigurationError: The credentials cannot be read.
        OptionalModuleMissing: The client library is not installed.
    """

    def __init__(self, access: Access, project: str, calls: Calls | None = None) -> None:
        self._client = Client(access)
        self.project = project
        self._calls = calls or Calls(SERVICE, failure_of, limit=TokenBucket(_REQUESTS_PER_S, _BURST))

    def __repr__(self) -> str:
        return f"<Requests about {self.project}>"

    def within(self, deadline_s: float) -> Requests:
        """Return the same requests, each of which may take a time with its repetitions (seconds)."""
        hasty = copy(self)
        hasty._calls = Calls(SERVICE, failure_of, deadline_s=deadline_s)
        return hasty

    def zones(self) -> list[Json]:
        """Return all zones of the project, of all regions."""
        service = self._client.collection("zones")

        def request(page: str | None) -> Any:
            return service.list(project=self.project, pageToken=page)

        return self._all("zones.list", request, _items)

    def region(self, region: str) -> Json:
        """Return a region, with its quotas."""
        service = self._client.collection("regions")
        return self._run("regions.get", lambda: service.get(project=self.project, region=region))

    def image(self, image_project: str, family: str) -> Json:
        """Return the newest image of a family."""
        service = self._client.collection("images")
        return self._run(
            "images.getFromFamily", lambda: service.getFromFamily(project=image_project, family=family)
        )

    def machine_type(self, zone: str, name: str) -> Json:
        """Return a machine type as a zone has it."""
        service = self._client.collection("machineTypes")
        return self._run(
            "machineTypes.get", lambda: service.get(project=self.project, zone=zone, machineType=name)
        )

    def accelerator_type(self, zone: str, name: str) -> Json:
        """Return a type of accelerators as a zone has it."""
        service = self._client.collection("acceleratorTypes")
        return self._run(
            ACCELERATOR_REQUEST,
            lambda: service.get(project=self.project, zone=zone, acceleratorType=name),
        )

    def insert(self, zone: str, body: Json, request_id: str) -> Json | None:
        """Create an instance; return the operation, or None if an instance of this name exists already.

        Args:
            zone: The zone.
            body: The instance.
            request_id: A UUID; the service creates one instance only for repeated requests with the same one.
        """
        service = self._client.collection("instances")
        try:
            return self._run(
                "instances.insert",
                lambda: service.insert(project=self.project, zone=zone, body=body, requestId=request_id),
            )
        except ServiceError as error:
            if is_conflict(error.failure):
                return None
            raise

    def delete(self, zone: str, name: str) -> None:
        """Delete an instance."""
        service = self._client.collection("instances")
        self._run("instances.delete", lambda: service.delete(project=self.project, zone=zone, instance=name))

    def instances(self, filter_text: str) -> list[Json]:
        """Return the instances of all zones that satisfy a filter.

        Args:
            filter_text: Such as ``labels.parsl-run="abc"``; an empty one is refused, as it means all.
        """
        if not filter_text:
            raise ValueError("the filter of instances is empty, which would mean all of the project")
        service = self._client.collection("instances")

        def request(page: str | None) -> Any:
            return service.aggregatedList(project=self.project, filter=filter_text, pageToken=page)

        return self._all("instances.aggregatedList", request, _of_all_zones)

    def operation(self, zone: str, name: str) -> Json:
        """Return an operation of a zone."""
        service = self._client.collection("zoneOperations")
        return self._run(
            "zoneOperations.get", lambda: service.get(project=self.project, zone=zone, operation=name)
        )

    def endings(self, zone: str, instance_id: str) -> list[Json]:
        """Return the operations on an instance, without that which has created it.

        Args:
            zone: The zone.
            instance_id: The number of the instance; an empty one is that of none.
        """
        if not instance_id:
            return []
        service = self._client.collection("zoneOperations")
        chosen = f'(operationType!="insert") (targetId={instance_id})'

        def request(page: str | None) -> Any:
            return service.list(project=self.project, zone=zone, filter=chosen, pageToken=page)

        return self._all("zoneOperations.list", request, _items)

    def console(self, zone: str, name: str) -> str:
        """Return what an instance has written to its serial console."""
        service = self._client.collection("instances")
        answer = self._run(
            "instances.getSerialPortOutput",
            lambda: service.getSerialPortOutput(project=self.project, zone=zone, instance=name),
        )
        return str(answer.get("contents", ""))

    def granted(self, permissions: list[str]) -> set[str]:
        """Return those of some permissions that the account has in the project."""
        service = self._client.resource_manager().projects()
        body = {"permissions": permissions}
        answer = self._run(
            "projects.testIamPermissions",
            lambda: service.testIamPermissions(resource=f"projects/{self.project}", body=body),
        )
        return set(answer.get("permissions", []))

    def _run(self, name: str, make: Callable[[], Any]) -> Json:
        return self._calls.run(name, lambda: self._client.execute(make()))

    def _all(
        self,
        name: str,
        make: Callable[[str | None], Any],
        items: Callable[[Json], Iterable[Json]] | None = None,
    ) -> list[Json]:
        def fetch(page: str | None) -> tuple[Iterable[Json], str | None]:
            answer = self._run(name, lambda: make(page))
            return (items or _items)(answer), answer.get("nextPageToken")

        return list(pages(fetch))


def _items(answer: Json) -> Iterable[Json]:
    found: list[Json] = answer.get("items", [])
    return found


def _of_all_zones(answer: Json) -> Iterable[Json]:
    for scope in answer.get("items", {}).values():
        yield from scope.get("instances", [])
