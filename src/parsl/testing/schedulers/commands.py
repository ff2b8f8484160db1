"""What the commands of all stand-ins share: options, requested faults, counted calls, printing.

A fault is what a command does on request instead of, or before, its real work:
    ``exit 1`` (any number)   fails immediately, with a meaningless message
    ``empty``                 prints nothing; exit code 0
    ``hang``                  does not answer until it is killed or the cluster ends
    ``slow 2.5``              waits that many seconds, then answers
    ``half``                  prints the first half of the right answer
    ``server-down``, ``network-down``  prints the scheduler's message for that case
    the name of a refusal     refuses a job with the scheduler's message
    ``say TEXT``              prints TEXT on stdout; exit code 0
    ``refuse TEXT``           prints TEXT on stderr; exit code 1
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from parsl.testing.schedulers.records import Settings
from parsl.testing.schedulers.store import OWNER_LOCK, ClusterStore, Transaction


class Fault(NamedTuple):
    """A fault that a command has to show now."""

    name: str
    #: The text after the name.
    argument: str = ""


NO_FAULT = Fault("")


def set_fault(state: Transaction, command: str, fault: str, times: int | None) -> None:
    """Make a command show a fault, empty for none, this many times; None means always."""
    faults = state.fact("faults", {})
    faults[command] = [fault, times]
    state.set_fact("faults", faults)


def take_fault(state: Transaction, command: str) -> Fault:
    """Return the fault that a command has to show now, and count it."""
    faults = state.fact("faults", {})
    fault, times = faults.get(command, ("", None))
    if not fault:
        return NO_FAULT
    if times is not None:
        faults[command] = [fault if times > 1 else "", times - 1]
        state.set_fact("faults", faults)
    name, _, argument = fault.partition(" ")
    return Fault(name, argument)


class Answer(NamedTuple):
    """The output and the exit code of a command."""

    stdout: str = ""
    stderr: str = ""
    exit_code: int = 0


class Call(NamedTuple):
    """One run of a command."""

    store: ClusterStore
    settings: Settings
    arguments: tuple[str, ...]
    fault: Fault = NO_FAULT


class Command:
    """A command of a scheduler; subclasses say what it answers."""

    #: The name of the command.
    name = ""

    def answer(self, call: Call) -> Answer:
        raise NotImplementedError

    def failure(self, call: Call) -> Answer | None:
        """Return the scheduler's own message for the fault of a call; None if there is no such message."""
        return None

    @classmethod
    def main(cls, arguments: Sequence[str]) -> int:
        """Run the command; the cluster's directory precedes the arguments."""
        command = cls()
        call = _start_call(ClusterStore(arguments[0]), cls.name, tuple(arguments[1:]))
        _delay(call)
        answer = command.failure(call) or _common_failure(cls.name, call.fault) or command.answer(call)
        if call.fault.name == "half":
            answer = answer._replace(stdout=answer.stdout[: len(answer.stdout) // 2])
        _print(answer)
        return answer.exit_code


def _start_call(store: ClusterStore, command: str, arguments: tuple[str, ...]) -> Call:
    with store.transaction() as state:
        calls = state.fact("calls", {})
        calls[command] = calls.get(command, 0) + 1
        state.set_fact("calls", calls)
        fault = take_fault(state, command)
        if state.fact("closed", False):
            fault = Fault("server-down")
        return Call(store, state.settings(), arguments, fault)


def _delay(call: Call) -> None:
    if call.fault.name == "slow":
        time.sleep(float(call.fault.argument or 1))
    elif call.fault.name == "hang":
        # The owner of the cluster holds this lock as long as it lives.
        fcntl.lockf(call.store.open_lock(OWNER_LOCK), fcntl.LOCK_EX)


def _common_failure(command: str, fault: Fault) -> Answer | None:
    if fault.name == "exit":
        return Answer("", f"{command}: something went wrong\n", int(fault.argument or 1))
    if fault.name in ("empty", "hang"):
        return Answer()
    if fault.name == "say":
        return Answer(fault.argument + "\n")
    if fault.name == "refuse":
        return Answer("", fault.argument + "\n", 1)
    if fault.name in ("server-down", "network-down"):
        return Answer("", f"{command}: cannot reach the scheduler: Connection refused\n", 255)
    return None


def _print(answer: Answer) -> None:
    try:
        sys.stdout.write(answer.stdout)
        sys.stdout.flush()
        sys.stderr.write(answer.stderr)
        sys.stderr.flush()
    except BrokenPipeError:
        # The reader is gone. Keep the interpreter from complaining at exit, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class BadOption(Exception):
    """An option is unknown or lacks its value; the message is that of getopt."""


def parse_short_options(
    arguments: Sequence[str], flags: str, valued: str
) -> tuple[list[tuple[str, str]], list[str]]:
    """Split ``-a -bc -dVALUE -d VALUE rest`` into the options, each with its value or "", and the rest."""
    # This does what getopt(3) does; importing Python's own modules for it takes much longer.
    found: list[tuple[str, str]] = []
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] not in ("-", "--"):
        letters = rest.pop(0)[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in flags:
                found.append((letter, ""))
            elif letter not in valued:
                raise BadOption(f"invalid option -- '{letter}'")
            elif letters or rest:
                found.append((letter, letters or rest.pop(0)))
                letters = ""
            else:
                raise BadOption(f"option requires an argument -- '{letter}'")
    return found, rest
