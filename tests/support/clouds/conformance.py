"""The suite for providers, as it is for machines of clouds."""

from __future__ import annotations

from collections.abc import Collection

from parsl.testing.provider_conformance import ProviderConformance


class MachineConformance(ProviderConformance):
    """Machines keep no output, and a machine that its service takes away is no fault of its tasks."""

    keeps_output = False
    notices_ends = False
    retries_of_lost_tasks = 0
    injectable: Collection[str] = ("throttling", "errors")
