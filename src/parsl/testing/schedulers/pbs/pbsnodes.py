"""``pbsnodes``: lists nodes; ``-a`` all, ``-l`` those that are down, ``-F json`` as JSON."""

from __future__ import annotations

import time

from parsl.testing.schedulers.commands import Answer, Call
from parsl.testing.schedulers.pbs.answers import render_json
from parsl.testing.schedulers.pbs.attributes import flatten, node_attributes, node_state
from parsl.testing.schedulers.pbs.command import PBSCommand
from parsl.testing.schedulers.pbs.notation import short
from parsl.testing.schedulers.records import OCCUPYING


class Pbsnodes(PBSCommand):
    """``pbsnodes``."""

    name = "pbsnodes"
    flags = "alSjLv"
    valued = "FD"

    def execute(self, call: Call) -> Answer:
        options, operands = self.parse(call.arguments)
        values = dict(options)
        settings = call.settings
        with call.store.transaction() as state:
            down = set(state.fact("down", []))
            jobs = state.jobs(OCCUPYING)
        hosts = [host for host in settings.hosts if not operands or {host, short(host)} & set(operands)]
        if "l" in values:
            lines = []
            for host in (host for host in hosts if host in down):
                node = node_state(any(host in job.hosts for job in jobs), True)
                lines.append(f"{short(host):20} {node} node down: communication closed\n")
            return Answer("".join(lines))
        nodes = [(short(host), node_attributes(host, host in down, jobs, settings)) for host in hosts]
        if values.get("F") == "json":
            return Answer(render_json(settings.flavour, settings.server, time.time(), "nodes", nodes))
        blocks = (
            "\n".join([name, *(f"     {key} = {value}" for key, value in flatten(each))])
            for name, each in nodes
        )
        return Answer("".join(block + "\n\n" for block in blocks))


main = Pbsnodes.main
