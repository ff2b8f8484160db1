"""What the commands of all stand-ins share: counting calls, misbehaving, printing, exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from parsl.testing.schedulers.faults import NO_FAULT, Fault, delay, take_fault
from parsl.testing.schedulers.records import Settings
from parsl.testing.schedulers.store import ClusterStore

_CALLS = "calls"


class Answer(NamedTuple):
    """What a command prints, and how it ends."""

    stdout: str = ""
    stderr: str = ""
    exit_code: int = 0


class Call(NamedTuple):
    """A command that is being run."""

    store: ClusterStore
    settings: Settings
    arguments: tuple[str, ...]
    fault: Fault = NO_FAULT


def run_command(
    command: str,
    arguments: Sequence[str],
    answer: Callable[[Call], Answer],
    failures: Callable[[Call], Answer | None] = lambda call: None,
) -> int:
    """Run a command of a stand-in to its end.

    Args:
        command: Its name.
        arguments: The directory of the cluster, and the command line without the program's name.
        answer: Does what the command does.
        failures: What the scheduler's command says when it fails as asked; None: not its failure.

    Returns:
        The exit code.
    """
    store = ClusterStore(arguments[0])
    with store.transaction() as state:
        calls = state.fact(_CALLS, {})
        calls[command] = calls.get(command, 0) + 1
        state.set_fact(_CALLS, calls)
        fault = take_fault(state, command)
        if state.fact("closed", False):
            fault = Fault("server-down")
        call = Call(store, state.settings(), tuple(arguments[1:]), fault)
    delay(store, fault)
    given = failures(call) or _common_failure(command, fault)
    if given is None:
        given = _spoil(answer(call), fault)
    _print(given)
    return given.exit_code


def _common_failure(command: str, fault: Fault) -> Answer | None:
    if fault.name == "exit":
        return Answer("", f"{command}: something went wrong\n", fault.exit_code)
    if fault.name in ("empty", "hang"):
        return Answer()
    if fault.name == "say":
        return Answer(fault.argument + "\n")
    if fault.name == "refuse":
        return Answer("", fault.argument + "\n", 1)
    if fault.name in ("server-down", "network-down"):
        return Answer("", f"{command}: cannot reach the scheduler: Connection refused\n", 255)
    return None


def _spoil(answer: Answer, fault: Fault) -> Answer:
    if fault.name == "half":
        return answer._replace(stdout=answer.stdout[: len(answer.stdout) // 2])
    return answer


def _print(answer: Answer) -> None:
    try:
        sys.stdout.write(answer.stdout)
        sys.stdout.flush()
        sys.stderr.write(answer.stderr)
        sys.stderr.flush()
    except BrokenPipeError:
        # Nobody reads it; keep the interpreter from complaining at its end, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
