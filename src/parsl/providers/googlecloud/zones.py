"""In which zones of a region to create machines, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from parsl.providers.api.failure import ServiceError
from parsl.providers.googlecloud.instance import InstanceSettings, Json
from parsl.providers.googlecloud.requests import Requests

#: How long a zone that had no capacity is the last choice, in seconds.
FULL_FOR_S = 600.0


class ZoneChoice:
    """Zones in the order of preference; those that were full recently come last. Not thread-safe.

    Times are seconds on any one monotonic clock.
    """

    def __init__(self, zones: Sequence[str]) -> None:
        self.zones = list(zones)
        self._full_until_s: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<ZoneChoice {self.zones}, {len(self._full_until_s)} have been full>"

    def found_full(self, zone: str, now_s: float) -> None:
        self._full_until_s[zone] = now_s + FULL_FOR_S

    def order(self, now_s: float, tried: Iterable[str] = ()) -> list[str]:
        """Return the zones to try, in this order, without those that were tried already."""
        left = [zone for zone in self.zones if zone not in set(tried)]
        return sorted(left, key=lambda zone: max(now_s, self._full_until_s.get(zone, now_s)))


def zones_of(region: str, zones: Iterable[Json]) -> list[str]:
    """Return the names of the zones of a region that are up.

    Names of zones do not identify the region by their beginning: there are europe-west1 and europe-west10.
    """
    return sorted(
        str(zone["name"])
        for zone in zones
        if str(zone.get("region", "")).rpartition("/")[2] == region and zone.get("status") == "UP"
    )


def zones_offering(
    requests: Requests, zones: Sequence[str], machines: InstanceSettings
) -> tuple[list[str], ServiceError | None]:
    """Return the zones that have the machine type and all accelerators, and why another one has not."""
    offering, refusal = [], None
    for zone in zones:
        try:
            requests.machine_type(zone, machines.machine_type)
            for kind in machines.accelerators:
                requests.accelerator_type(zone, kind)
            offering.append(zone)
        except ServiceError as error:
            refusal = error
    return offering, refusal
