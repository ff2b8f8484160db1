"""``pbsnodes``: tells of the nodes; ``-a`` all, ``-l`` those that are down, with ``-F json`` if wanted."""

from __future__ import annotations

import time
from collections.abc import Sequence

from parsl.testing.schedulers.commands import Answer, Call, run_command
from parsl.testing.schedulers.options import BadOption, parse_short_options
from parsl.testing.schedulers.pbs.attributes import Attributes, Member
from parsl.testing.schedulers.pbs.dialect import short
from parsl.testing.schedulers.pbs.failures import failure
from parsl.testing.schedulers.pbs.json_answer import render_answer
from parsl.testing.schedulers.pbs.text_answers import flat
from parsl.testing.schedulers.records import OCCUPYING, Job, Settings


def main(arguments: Sequence[str]) -> int:
    """Run pbsnodes; the first argument is the cluster's directory."""
    return run_command("pbsnodes", arguments, _answer, lambda call: failure(call, "pbsnodes"))


def _answer(call: Call) -> Answer:
    try:
        options, operands = parse_short_options(call.arguments, "alSjLv", "FD")
    except BadOption as error:
        return Answer("", f"pbsnodes: {error}\n", 2)
    values = dict(options)
    with call.store.transaction() as state:
        down = set(state.fact("down", []))
        jobs = state.jobs(OCCUPYING)
    settings = call.settings
    hosts = [host for host in settings.hosts if not operands or host in operands or short(host) in operands]
    if "l" in values:
        listed = (_down_line(host, jobs) for host in hosts if host in down)
        return Answer("".join(listed))
    nodes = [(short(host), node_attributes(host, host in down, jobs, settings)) for host in hosts]
    if values.get("F") == "json":
        return Answer(render_answer(settings.flavour, settings.server, time.time(), "nodes", nodes))
    blocks = (
        "\n".join([name, *(f"     {key} = {value}" for key, value in flat(each))]) for name, each in nodes
    )
    return Answer("".join(block + "\n\n" for block in blocks))


def node_attributes(host: str, is_down: bool, jobs: Sequence[Job], settings: Settings) -> Attributes:
    """Return what pbsnodes tells of a node."""
    cpus = settings.policy.cpus_per_node
    used = sum(placement.cpus for job in jobs for placement in job.placements if placement.host == host)
    assigned = (Member("ncpus", str(used)),) if used else ()
    return [
        ("Mom", host),
        ("ntype", "PBS"),
        ("state", _state(used >= cpus, is_down)),
        ("pcpus", str(cpus)),
        (
            "resources_available",
            (Member("arch", "linux"), Member("host", short(host)), Member("ncpus", str(cpus))),
        ),
        ("resources_assigned", assigned),
        ("resv_enable", "True"),
        ("sharing", "default_shared"),
    ]


def _state(is_full: bool, is_down: bool) -> str:
    if is_down:
        return "down,job-busy" if is_full else "down"
    return "job-busy" if is_full else "free"


def _down_line(host: str, jobs: Sequence[Job]) -> str:
    state = _state(any(host in job.hosts for job in jobs), True)
    return f"{short(host):20} {state} node down: communication closed\n"
