"""What the commands of PBS say when they are asked to fail."""

from __future__ import annotations

import time

from parsl.testing.schedulers.commands import Answer, Call
from parsl.testing.schedulers.pbs import refusals
from parsl.testing.schedulers.pbs.json_answer import render_answer


def refused(refusal: refusals.Refusal, stdout: str = "") -> Answer:
    """Turn a refusal into what the command prints."""
    return Answer(stdout, refusal.message, refusal.exit_code)


def failure(call: Call, command: str, wants_json: bool = False) -> Answer | None:
    """Return what a command of PBS says when there is no server, or no network."""
    settings = call.settings
    if call.fault.name == "server-down":
        refusal = refusals.server_down(command, settings.server, settings.flavour)
    elif call.fault.name == "network-down":
        refusal = refusals.network_down(command, settings.server)
    else:
        return None
    envelope = (
        render_answer(settings.flavour, settings.server, time.time(), "Jobs", None) if wants_json else ""
    )
    return refused(refusal, envelope)
