"""What all commands share: options, requested faults, counted calls, printing.

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
from pwd import getpwuid
from typing import NamedTuple

from parsl.testing.schedulers.answers import render_json
from parsl.testing.schedulers.records import Settings
from parsl.testing.schedulers.refusals import Refusal, network_down, server_down
from parsl.testing.schedulers.store import OWNER_LOCK, ClusterStore, Transaction

VERSION = "pbs_version = 23.06.06\n"


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
    """A command of PBS. Stand-ins for other schedulers override what differs."""

    name = ""
    #: The letters of the options without and with a value.
    flags = ""
    valued = ""
    #: Printed after the message about a wrong option.
    usage = ""

    def execute(self, call: Call) -> Answer:
        """Do the command's work, or raise a `Refusal`."""
        raise NotImplementedError

    def unreachable(self, call: Call) -> Answer:
        """Return the answer of a command that cannot connect to the server."""
        settings = call.settings
        if call.fault.name == "server-down":
            refusal = server_down(self.name, settings.server, settings.flavour)
        else:
            refusal = network_down(self.name, settings.server)
        is_json = self.name == "qstat" and ("json" in call.arguments or "-Fjson" in call.arguments)
        stdout = render_json(settings.flavour, settings.server, time.time(), "Jobs", None) if is_json else ""
        return Answer(stdout, refusal.message, refusal.exit_code)

    def parse(self, arguments: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
        """Return the options and the operands of a command line."""
        try:
            return parse_short_options(arguments, self.flags, self.valued)
        except BadOption as error:
            raise Refusal(f"{self.name}: {error}\n{self.usage}", 2) from None

    def summarize(self, refusals: Sequence[Refusal]) -> tuple[str, int]:
        """Return the text on stderr and the exit code for the refusals of single operands."""
        codes = [refusal.exit_code for refusal in refusals if refusal.exit_code]
        return "".join(f"{self.name}: {refusal.message}\n" for refusal in refusals), codes[-1] if codes else 0

    @classmethod
    def main(cls, arguments: Sequence[str]) -> int:
        """Run the command; the cluster's directory precedes the arguments."""
        command = cls()
        call = _start_call(ClusterStore(arguments[0]), cls.name, tuple(arguments[1:]))
        try:
            answer = command._failure(call) or command.execute(call)
        except Refusal as refusal:
            answer = Answer("", refusal.message, refusal.exit_code)
        if call.fault.name == "half":
            answer = answer._replace(stdout=answer.stdout[: len(answer.stdout) // 2])
        _print(answer)
        return answer.exit_code

    def _failure(self, call: Call) -> Answer | None:
        """Wait or fail as the fault of a call requires; return None if the command works nevertheless."""
        match call.fault:
            case Fault("slow", seconds):
                time.sleep(float(seconds or 1))
            case Fault("hang"):
                # The owner of the cluster holds this lock as long as it lives.
                fcntl.lockf(call.store.open_lock(OWNER_LOCK), fcntl.LOCK_EX)
                return Answer()
            case Fault("empty"):
                return Answer()
            case Fault("exit", code):
                return Answer("", f"{self.name}: something went wrong\n", int(code or 1))
            case Fault("say", text):
                return Answer(text + "\n")
            case Fault("refuse", text):
                return Answer("", text + "\n", 1)
            case Fault("server-down" | "network-down"):
                return self.unreachable(call)
        return None


def _start_call(store: ClusterStore, command: str, arguments: tuple[str, ...]) -> Call:
    with store.transaction() as state:
        calls = state.fact("calls", {})
        calls[command] = calls.get(command, 0) + 1
        state.set_fact("calls", calls)
        fault = take_fault(state, command)
        if state.fact("closed", False):
            fault = Fault("server-down")
        return Call(store, state.settings(), arguments, fault)


def _print(answer: Answer) -> None:
    try:
        sys.stdout.write(answer.stdout)
        sys.stdout.flush()
        sys.stderr.write(answer.stderr)
        sys.stderr.flush()
    except BrokenPipeError:
        # The reader is gone. Keep the interpreter from complaining at exit, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def user_name() -> str:
    """Return the name of the user of this process."""
    return os.environ.get("LOGNAME") or os.environ.get("USER") or getpwuid(os.getuid()).pw_name


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
