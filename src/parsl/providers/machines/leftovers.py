"""Machines that belong to no block, because their creation has failed halfway: a plain ledger."""

from __future__ import annotations

from collections.abc import Iterable

from parsl.providers.machines.block_status import FRESH_S
from parsl.providers.machines.cloud import Machine, MachineState


class Leftovers:
    """Machines that may exist although their block was given up. Not thread-safe.

    The answer to a request may be lost, or the machines that were created cannot be terminated. Services may
    list a new machine late, so one that is not listed only counts as gone some time after its request.
    """

    def __init__(self) -> None:
        #: When the machines of these names were given up, in seconds.
        self._given_up_s: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Leftovers {len(self)}>"

    def __len__(self) -> int:
        return len(self._given_up_s)

    def add(self, names: Iterable[str], now_s: float) -> None:
        self._given_up_s.update(dict.fromkeys(names, now_s))

    def take_gone(self, listed: Iterable[Machine], now_s: float) -> list[str]:
        """Forget those that have certainly ended, according to a listing of the run; return their names."""
        states = {machine.name: machine.state for machine in listed}
        gone = [
            name
            for name, given_up_s in self._given_up_s.items()
            if states.get(name) is MachineState.ENDED
            or (name not in states and now_s - given_up_s >= FRESH_S)
        ]
        for name in gone:
            del self._given_up_s[name]
        return gone

    def has_fresh(self, now_s: float) -> bool:
        """Return whether one may exist that the service does not list yet."""
        return any(now_s - given_up_s < FRESH_S for given_up_s in self._given_up_s.values())
