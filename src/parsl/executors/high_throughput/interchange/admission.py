"""Which managers the interchange lets in, and what it says to the others. A decision, and nothing else."""

from __future__ import annotations

from typing import NamedTuple

from parsl.common.descriptors import too_many_managers
from parsl.executors.high_throughput.wire.protocol import PROTOCOL_VERSION, ManagerRefused, Register
from parsl.executors.high_throughput.wire.settings import InterchangeSettings


class Refusal(NamedTuple):
    """Why a manager is not let in."""

    #: For the manager, who says it in its job's output.
    reason: str
    #: For the driver, where the configuration is to blame.
    news: ManagerRefused | None = None


def refusal(message: Register, settings: InterchangeSettings, managers: int, most: int) -> Refusal | None:
    """Why a manager that introduces itself cannot be let in; None if it can.

    Args:
        message: how it introduces itself.
        settings: the interchange's.
        managers: how many others there are.
        most: for how many there are descriptors.
    """
    ours = _versions(PROTOCOL_VERSION, settings.parsl_version, settings.python_version)
    theirs = _versions(message.protocol, message.parsl_version, message.python_version)
    if ours != theirs:
        reason = f"this manager runs {theirs}, its driver {ours}; start both from the same environment"
        return Refusal(reason, ManagerRefused(message.host, message.block, ours, theirs))
    return Refusal(too_many_managers(most)) if managers >= most else None


def _versions(wire: int, parsl: str, python: str) -> str:
    return f"parsl {parsl} (protocol {wire}) on Python {python}"
