"""Whether the quota of a region suffices for all blocks: a plain decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from parsl.providers.googlecloud.instance import Fleet
from parsl.vocabulary.findings import Finding, Topic

QUOTA = Topic("Google quota")
_SPOT = "PREEMPTIBLE_"


@dataclass(frozen=True)
class Demand:
    """What machines need of a quota, and how many machines there may be."""

    nodes_per_block: int
    max_blocks: int
    #: Name of the quota -> what one machine needs of it.
    per_machine: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, fleet: Fleet, cpus: int) -> Demand:
        """Return the demand of a provider whose machines have this number of virtual CPUs."""
        machines = fleet.machines
        prefix = _SPOT if machines.is_spot else ""
        family = machines.machine_type.partition("-")[0].upper()
        per_machine = {f"{prefix}CPUS": cpus, f"{prefix}{family}_CPUS": cpus}
        for kind, number in machines.accelerators.items():
            name = kind.removeprefix("nvidia-").removeprefix("tesla-").upper().replace("-", "_")
            per_machine[f"{prefix}NVIDIA_{name}_GPUS"] = number
        if machines.has_external_address:
            per_machine["IN_USE_ADDRESSES"] = 1
        return cls(fleet.nodes_per_block, fleet.max_blocks, per_machine)

    def of_block(self, name: str) -> int:
        """Return what a block needs of a quota."""
        per_machine = self.per_machine
        needed = per_machine[name] if name in per_machine else per_machine[f"{_SPOT}{name}"]
        return needed * self.nodes_per_block


def quota_finding(demand: Demand, quotas: Iterable[Mapping[str, Any]]) -> Finding:
    """Compare a demand with the quotas of a region: an error if not even one block can ever start."""
    by_name = {str(quota["metric"]): quota for quota in quotas}
    blocks, tight = demand.max_blocks, None
    for name in _names(demand, by_name):
        possible = _possible_blocks(demand, name, by_name[name])
        if possible < blocks or (possible == 0 and tight is None):
            blocks, tight = possible, name
    if tight is None:
        return QUOTA.ok(f"The quota suffices for {demand.max_blocks} blocks.")
    return _shortage(demand, blocks, tight, by_name[tight])


def _names(demand: Demand, quotas: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names of the quotas that count.

    A quota of the machine family takes the place of that of all CPUs. Where there is no quota for spot
    machines, these count like others.
    """
    names = []
    for name in demand.per_machine:
        known = name
        if name.startswith(_SPOT) and not quotas.get(name, {}).get("limit"):
            known = name.removeprefix(_SPOT)
        if known in quotas:
            names.append(known)
    has_family = any(name.endswith("_CPUS") and name != f"{_SPOT}CPUS" for name in names)
    return [name for name in names if not (has_family and name in ("CPUS", f"{_SPOT}CPUS"))]


def _possible_blocks(demand: Demand, name: str, quota: Mapping[str, Any]) -> int:
    left = float(quota["limit"]) - float(quota.get("usage", 0))
    return max(0, int(left // demand.of_block(name)))


def _shortage(demand: Demand, blocks: int, name: str, quota: Mapping[str, Any]) -> Finding:
    limit, usage, needed = float(quota["limit"]), float(quota.get("usage", 0)), demand.of_block(name)
    facts = f"Quota '{name}': limit {limit:g}, used {usage:g}; a block needs {needed}"
    advice = "Request more on the page IAM & Admin > Quotas of the console, or use smaller or fewer machines."
    if limit < needed:
        return QUOTA.error(f"{facts}: no block can ever start.", advice)
    return QUOTA.warning(f"{facts}: {blocks} of max_blocks={demand.max_blocks} can start now.", advice)
