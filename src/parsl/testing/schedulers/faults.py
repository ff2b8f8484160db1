"""Misbehaviour on request: what a command does instead of, or before, what it should.

A fault is one of
    ``exit 1`` (any number)   fails at once, with a message that says nothing
    ``empty``                 answers nothing, with exit code 0
    ``hang``                  does not answer until it is killed, or the cluster ends
    ``slow 2.5``              takes so many seconds, and then answers
    ``half``                  the first half of the right answer
    ``server-down``, ``network-down``  what the scheduler's commands say then
    the name of a refusal     what the scheduler says when it refuses a job
    ``say TEXT``              TEXT on stdout, exit code 0
    ``refuse TEXT``           TEXT on stderr, exit code 1
"""

from __future__ import annotations

import fcntl
import os
import time
from typing import NamedTuple

from parsl.testing.schedulers.store import ClusterStore, Transaction

_FACT = "faults"
#: Held by the process to which the cluster belongs, as long as that lives.
OWNER_LOCK = "owner.lock"


class Fault(NamedTuple):
    """A fault that is due."""

    name: str
    #: What stands behind its name.
    argument: str = ""

    @property
    def seconds(self) -> float:
        """Its argument as a time."""
        return float(self.argument or 1)

    @property
    def exit_code(self) -> int:
        """Its argument as an exit code."""
        return int(self.argument or 1)


NO_FAULT = Fault("")


def set_fault(state: Transaction, command: str, fault: str, times: int | None) -> None:
    """Have a command misbehave.

    Args:
        state: The cluster's state.
        command: Such as ``qstat``.
        fault: What it does; empty: what it should.
        times: How often; None: until told otherwise.
    """
    faults = state.fact(_FACT, {})
    faults[command] = [fault, times]
    state.set_fact(_FACT, faults)


def take_fault(state: Transaction, command: str) -> Fault:
    """Return what a command has to do now, and count it."""
    faults = state.fact(_FACT, {})
    fault, times = faults.get(command, ("", None))
    if not fault:
        return NO_FAULT
    if times is not None:
        faults[command] = [fault if times > 1 else "", times - 1]
        state.set_fact(_FACT, faults)
    name, _, argument = fault.partition(" ")
    return Fault(name, argument)


def delay(store: ClusterStore, fault: Fault) -> None:
    """Do what takes time: be slow, or hang for as long as the cluster's owner lives."""
    if fault.name == "slow":
        time.sleep(fault.seconds)
    elif fault.name == "hang":
        lock = os.open(store.path(OWNER_LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.lockf(lock, fcntl.LOCK_EX)
