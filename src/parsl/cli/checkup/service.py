"""Checks with the service of a provider, such as a cloud: nothing is started."""

from __future__ import annotations

from typing import Any

from parsl.cli.checkup.subject import Subject
from parsl.errors import ParslError
from parsl.vocabulary.findings import Finding, Topic

_SERVICE, _COST = Topic("service"), Topic("cost")


def check_service(subject: Subject) -> list[Finding]:
    """Let a provider that can check its service do so, and estimate the cost per hour of all blocks."""
    check = getattr(subject.provider, "check", None)
    if not callable(check):
        return []
    try:
        findings: list[Finding] = list(check())
        return [*findings, *_cost(subject.provider)]
    except ParslError as error:
        return [_SERVICE.error(str(error))]


def _cost(provider: Any) -> list[Finding]:
    estimate = getattr(provider, "hourly_cost", None)
    if not callable(estimate):
        return []
    dollars = estimate()
    if dollars is None:
        unit = getattr(provider, "billed_unit", "machine")
        advice = f"Set price_per_hour in the provider, in dollars for a {unit}."
        return [_COST.note(f"it is unknown: Parsl has found no price for a {unit}.", advice)]
    blocks = f"max_blocks={provider.max_blocks}"
    if provider.init_blocks > provider.max_blocks:  # then none are added to those of the start
        blocks = f"init_blocks={provider.init_blocks}"
    limit = getattr(provider, "max_machine_hours", None)
    who = (
        "All runs with its state_file together are"
        if getattr(provider, "state_file", None)
        else "Each run is"
    )
    bound = "" if limit is None else f" {who} limited to {limit:g} machine-hours."
    return [_COST.note(f"{blocks} costs about {dollars:.2f} dollars an hour (an estimate).{bound}")]
