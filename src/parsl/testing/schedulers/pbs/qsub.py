"""``qsub``: notes a job, and starts it if there is room."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

from parsl.testing.schedulers.commands import Answer, Call, run_command
from parsl.testing.schedulers.pbs import refusals
from parsl.testing.schedulers.pbs.failures import failure, refused
from parsl.testing.schedulers.pbs.ids import full_id
from parsl.testing.schedulers.pbs.qsub_options import CommandLine, parse_command_line
from parsl.testing.schedulers.pbs.submission import Submitter, make_job
from parsl.testing.schedulers.starter import Starter
from parsl.testing.schedulers.store import Transaction


def main(arguments: Sequence[str]) -> int:
    """Run qsub; the first argument is the cluster's directory."""
    return run_command("qsub", arguments, _submit, _failure)


def _failure(call: Call) -> Answer | None:
    refusal = refusals.QSUB_REFUSALS.get(call.fault.name)
    if refusal is None:
        return failure(call, "qsub")
    with call.store.transaction() as state:
        state.take_number()  # as with the real one, a refusal can use up a number
    return refused(refusal())


def _submit(call: Call) -> Answer:
    if call.arguments == ("--version",):
        return Answer("pbs_version = 23.06.06\n")
    try:
        line = parse_command_line(call.arguments)
        script = _read_script(line)
        with Starter(call.store) as starter, call.store.transaction() as state:
            number = _add(call, state, line, script, starter)
    except refusals.Refusal as refusal:
        return refused(refusal)
    return Answer(full_id(number, call.settings.server) + "\n")


def _read_script(line: CommandLine) -> str:
    if line.command:
        from shlex import join

        return f"#!/bin/sh\nexec {join(line.command)}\n"
    if any(letter == "I" for letter, _ in line.options):
        raise refusals.no_terminal()
    if line.script is None:
        return sys.stdin.read()
    try:
        with open(line.script) as file:
            return file.read()
    except OSError:
        raise refusals.no_script() from None


def _add(call: Call, state: Transaction, line: CommandLine, script: str, starter: Starter) -> int:
    number = state.take_number()
    user = user_name()
    who = Submitter(user, os.getcwd(), {"LOGNAME": user, "SHELL": "/bin/bash", **os.environ})
    before: dict[str, int] = {}
    if any(queue.max_queued_per_user is not None for queue in call.settings.policy.queues):
        for other in state.active_jobs():
            if other.owner == who.user:
                before[other.queue] = before.get(other.queue, 0) + 1
    job, payload = make_job(number, line, call.arguments, script, who, call.settings, before, time.time())
    state.add(job, payload)
    starter.plan(state, [job])
    return number


def user_name() -> str:
    """Return the name of the user who runs this."""
    name = os.environ.get("LOGNAME") or os.environ.get("USER")
    if name:
        return name
    from pwd import getpwuid

    return getpwuid(os.getuid()).pw_name
