"""The creation of machines: the service accepts a request at once, and finds a place for it later."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from parsl.providers.api.failure import Failure, FailureKind, ServiceError
from parsl.providers.googlecloud.failures import operation_failure
from parsl.providers.googlecloud.instance import Fleet, Json, instance_body, label_value
from parsl.providers.googlecloud.requests import Requests
from parsl.providers.googlecloud.zones import ZoneChoice, zones_of, zones_offering
from parsl.providers.machines.cloud import MachineSpec, Refused

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Creation:
    """A machine that the service has been requested to create."""

    spec: MachineSpec
    zone: str
    operation: Json | None  #: None if the machine existed already
    requested_s: float
    tried: Sequence[str]  #: zones, this one included

    @property
    def instance_id(self) -> str:
        """The number of the instance; empty if it is not known."""
        return "" if self.operation is None else str(self.operation.get("targetId", ""))


class Creator:
    """Requests machines in the zones of a region, one after the other until one has a place for it.

    Args:
        requests: The requests.
        fleet: The image and the machines.
        clock: Returns seconds on a monotonic clock.
    """

    def __init__(self, requests: Requests, fleet: Fleet, clock: Callable[[], float]) -> None:
        self._requests = requests
        self._fleet = fleet
        self._clock = clock
        self._zones: ZoneChoice | None = None
        self._image = ""

    def __repr__(self) -> str:
        return f"<Creator {self._zones}>"

    def create(self, spec: MachineSpec, tried: Sequence[str] = ()) -> Creation | Refused:
        """Request a machine in the first zone that does not refuse it for want of capacity.

        Args:
            spec: The machine.
            tried: Zones in which it was requested before, in vain.
        """
        tried = list(tried)
        refusal = Refused(FailureKind.CAPACITY, f"no zone is left to try after {', '.join(tried)}")
        for zone in self.zones().order(self._clock(), tried):
            tried.append(zone)
            try:
                operation = self._insert(spec, zone)
            except ServiceError as error:
                refusal = Refused(error.kind, str(error))
                if error.kind is not FailureKind.CAPACITY:
                    break
                self.zones().found_full(zone, self._clock())
                continue
            return Creation(spec, zone, operation, self._clock(), tried)
        return refusal

    def retry(self, creation: Creation, failure: Failure) -> Creation | Refused:
        """Request a machine that has failed again, in another zone; only lack of capacity differs by zone."""
        if failure.kind is not FailureKind.CAPACITY:
            return Refused(failure.kind, failure.message)
        self.zones().found_full(creation.zone, self._clock())
        logger.info("%s: %s; trying another zone", creation.spec.name, failure.message)
        return self.create(creation.spec, creation.tried)

    def failure(self, creation: Creation) -> Failure | None:
        """Return why the service could not create a machine; None if it has, may, or does not answer."""
        if creation.operation is None:
            return None
        try:
            return operation_failure(self._requests.operation(creation.zone, creation.operation["name"]))
        except ServiceError as error:
            logger.debug("No answer about the creation of %s: %s", creation.spec.name, error)
            return None

    def zones(self) -> ZoneChoice:
        """Return the zones with the machine type: those that the user has chosen, or all of the region."""
        if self._zones is None:
            fleet = self._fleet
            names = list(fleet.zones or zones_of(fleet.region, self._requests.zones()))
            offering, _ = zones_offering(self._requests, names, fleet.machines)
            self._zones = ZoneChoice(offering or names)  # if none has it, the refusal of one names the reason
        return self._zones

    def _insert(self, spec: MachineSpec, zone: str) -> Json | None:
        fleet = self._fleet
        if not self._image:
            image = self._requests.image(fleet.image_project, fleet.image_family)
            self._image = str(image["selfLink"])
        body = instance_body(
            fleet.machines,
            name=spec.name,
            zone=zone,
            image=self._image,
            labels={key: label_value(value) for key, value in spec.all_tags().items()},
            startup_script=spec.user_data,
            walltime_s=spec.walltime_s,
        )
        request_id = uuid.uuid5(uuid.NAMESPACE_URL, f"{zone}/{spec.name}")
        return self._requests.insert(zone, body, str(request_id))
