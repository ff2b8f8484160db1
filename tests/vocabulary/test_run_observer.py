"""The interface by which executors notify the kernel of what happens."""

from __future__ import annotations

import inspect
import subprocess
import sys
from concurrent.futures import Future
from typing import Any

import pytest

from parsl.executors.base import ParslExecutor
from parsl.vocabulary.run_facts import BlockFacts, ManagerFacts, ResourceSample
from parsl.vocabulary.run_observer import NO_OBSERVER, Accounting, RunObserver, pack_usage, run_s_of, usage_of


def test_unknown_parts_of_an_accounting_are_negative() -> None:
    assert Accounting() == (-1.0, -1.0, -1, -1, -1)
    assert Accounting(run_s=0.5, worker=3).worker == 3


def test_what_an_attempt_has_used_can_be_packed() -> None:
    future = Future[Any]()
    future.attempt_usage = pack_usage(1.5, 0.5, 2**40, 7, 3)  # type: ignore[attr-defined]
    assert usage_of(future) == Accounting(1.5, 0.5, 2**40, 7, 3)
    assert type(usage_of(future)) is Accounting
    assert run_s_of(future.attempt_usage) == 1.5  # type: ignore[attr-defined]


@pytest.mark.parametrize("usage", [b"", b"too short", bytes(33), None, 17, "x" * 32])
def test_without_measurements_there_is_no_accounting(usage: object) -> None:
    future = Future[Any]()
    assert usage_of(None) is usage_of(future) is None
    future.attempt_usage = usage  # type: ignore[attr-defined]
    assert usage_of(future) is None
    assert run_s_of(usage if isinstance(usage, bytes) else b"") == 0.0


def test_every_notification_has_a_method_that_does_nothing() -> None:
    manager = ManagerFacts(1, "m", "0", "node", 17, 4, 8, 2**30, "3.11.7")
    block = BlockFacts("0", None, "PENDING", "", 1.5)
    calls: dict[str, tuple[Any, ...]] = {
        "manager_joined": (manager,),
        "manager_gone": (1, "lost"),
        "node_changed": ("node", "set aside"),
        "tasks_dispatched": (1, [4, 5]),
        "tasks_started": ([(Future[Any](), 1.5, 0, 3)],),
        "block_changed": (block,),
        "resource_samples": ([(Future[Any](), 1.5, ResourceSample(17, 1, 2, 0.1, 0.5, 0.1, 0))],),
    }
    assert calls.keys() == {name for name, _ in inspect.getmembers(RunObserver, inspect.isfunction)}
    for name, arguments in calls.items():
        assert getattr(RunObserver(), name)("htex", *arguments) is None


def test_executors_have_an_observer_that_does_nothing() -> None:
    assert ParslExecutor.observer is NO_OBSERVER


def test_the_interface_needs_no_slow_import() -> None:
    code = "import sys, parsl.vocabulary.run_observer; print('typing' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"
