"""The thread that watches all walltimes."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from parsl.executors.local.deadlines import DeadlineWatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import WaitUntil


@pytest.fixture
def watch() -> Iterator[DeadlineWatch]:
    watch = DeadlineWatch("test")
    yield watch
    watch.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("test-")]


def test_calls_are_made_in_the_order_of_their_deadlines(watch: DeadlineWatch, wait_until: WaitUntil) -> None:
    made: list[str] = []
    begin_s = time.monotonic()
    watch.add(0.2, lambda: made.append("late"))
    watch.add(0.02, lambda: made.append("early"))
    wait_until(lambda: len(made) == 2)
    assert made == ["early", "late"]
    assert time.monotonic() - begin_s >= 0.2


def test_a_cancelled_call_is_not_made(watch: DeadlineWatch, wait_until: WaitUntil) -> None:
    made: list[float] = []
    delay_s, is_in_time = 0.05, False
    while not is_in_time:  # on a busy machine the time may be over before the cancellation
        delay_s, began_s = 2 * delay_s, time.monotonic()
        watch.add(delay_s, lambda delay_s=delay_s: made.append(delay_s)).cancel()
        is_in_time = time.monotonic() - began_s < delay_s
    watch.add(delay_s + 0.05, lambda: made.append(0.0))
    wait_until(lambda: 0.0 in made)
    assert delay_s not in made


def test_a_slow_call_delays_no_other(watch: DeadlineWatch) -> None:
    gate, called = threading.Event(), threading.Event()
    watch.add(0.0, lambda: gate.wait(30))
    watch.add(0.01, called.set)
    assert called.wait(60)
    gate.set()


def test_no_thread_before_the_first_deadline() -> None:
    before = threading.active_count()
    watch = DeadlineWatch("unused")
    assert threading.active_count() == before
    watch.close()


def test_closing_drops_pending_deadlines() -> None:
    watch = DeadlineWatch("test")
    made: list[int] = []
    watch.add(1000, lambda: made.append(1))
    watch.close()
    assert made == []


def test_a_due_call_is_made_even_if_no_thread_can_be_started_for_it(
    watch: DeadlineWatch, request: pytest.FixtureRequest
) -> None:
    names: list[str] = []
    first, last = threading.Event(), threading.Event()
    watch.add(0, first.set)  # starts the thread of the watch
    assert first.wait(60)

    def fail() -> None:
        names.append(threading.current_thread().name)
        raise SystemExit

    request.getfixturevalue("no_more_threads")
    watch.add(0, fail)
    watch.add(0, last.set)
    assert last.wait(60)
    assert names == ["test-walltimes"]
