from __future__ import annotations

import asyncio
import logging
import os
import pickle
import threading
from concurrent.futures import (
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    CancelledError,
    Future,
    InvalidStateError,
    TimeoutError,
    as_completed,
    wait,
)
from typing import Any

import pytest

from parsl.vocabulary.lean_future import LeanFuture


def finished(result: Any = 1) -> LeanFuture[Any]:
    future: LeanFuture[Any] = LeanFuture()
    future.set_result(result)
    return future


@pytest.fixture
def no_conditions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making a condition variable, the expensive part of a standard future, is an error."""
    monkeypatch.setattr(threading, "Condition", lambda: pytest.fail("The future made a condition."))


@pytest.mark.usefixtures("no_conditions")
def test_a_lean_future_has_no_condition_until_a_thread_waits() -> None:
    future: LeanFuture[int] = LeanFuture()
    assert isinstance(future, Future)
    future.add_done_callback(lambda _: None)
    future.set_result(3)
    assert (future.result(), future.exception(), future.done()) == (3, None, True)
    with pytest.raises(pytest.fail.Exception):
        LeanFuture[int]().exception(timeout=0.001)


def test_its_states() -> None:
    future: LeanFuture[int] = LeanFuture()
    assert not future.done()
    assert not future.running()
    assert future.set_running_or_notify_cancel()
    assert future.running()
    assert not future.cancel()
    future.set_exception(KeyError("k"))
    assert future.done()
    assert not future.running()
    with pytest.raises(KeyError):
        future.result()
    assert isinstance(future.exception(), KeyError)


def test_a_second_result_is_refused_and_the_first_one_stays() -> None:
    future = finished(1)
    with pytest.raises(InvalidStateError):
        future.set_result(2)
    with pytest.raises(InvalidStateError):
        future.set_exception(KeyError())
    with pytest.raises(InvalidStateError):
        future.set_cancelled()
    assert future.result() == 1


def test_a_second_result_is_refused_also_once_there_is_a_condition() -> None:
    future = finished(1)
    wait([future])
    with pytest.raises(InvalidStateError):
        future.set_result(2)
    assert not future.cancel()


def test_cancel() -> None:
    future: LeanFuture[int] = LeanFuture()
    seen: list[bool] = []
    future.add_done_callback(lambda f: seen.append(f.cancelled()))
    assert future.cancel()
    assert future.cancel()
    assert seen == [True]
    assert not future.set_running_or_notify_cancel()
    with pytest.raises(CancelledError):
        future.result()
    with pytest.raises(CancelledError):
        future.exception()
    with pytest.raises(InvalidStateError):
        future.set_result(1)


def test_a_running_future_can_be_settled_as_cancelled() -> None:
    future: LeanFuture[int] = LeanFuture()
    future.set_running_or_notify_cancel()
    waiting = threading.Thread(target=wait, args=([future],))
    waiting.start()
    future.set_cancelled()
    waiting.join(10)
    assert not waiting.is_alive()
    assert future.cancelled()


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("is_waited_for", [False, True])
def test_callbacks_run_once_in_order_and_late_ones_at_once(count: int, is_waited_for: bool) -> None:
    future: LeanFuture[int] = LeanFuture()
    seen: list[int] = []
    for number in range(count):
        future.add_done_callback(lambda _, number=number: seen.append(number))
    if is_waited_for:
        with pytest.raises(TimeoutError):
            future.result(timeout=0)
    future.set_result(1)
    assert seen == list(range(count))
    future.add_done_callback(lambda _: seen.append(99))
    assert seen == [*range(count), 99]


def test_an_exception_in_a_callback_is_logged_and_the_others_still_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    future: LeanFuture[int] = LeanFuture()
    seen: list[int] = []

    def fails(_: Future[int]) -> None:
        raise ValueError("in callback")

    future.add_done_callback(fails)
    future.add_done_callback(lambda _: seen.append(1))
    with caplog.at_level(logging.ERROR):
        future.set_result(1)
    assert seen == [1]
    assert "exception calling callback" in caplog.text
    assert "in callback" in caplog.text


def test_result_gives_up_after_its_timeout() -> None:
    future: LeanFuture[int] = LeanFuture()
    with pytest.raises(TimeoutError):
        future.result(timeout=0.001)
    with pytest.raises(TimeoutError):
        future.exception(timeout=0.001)


def test_wait_and_as_completed_mix_finished_and_unfinished_ones() -> None:
    ready, later = finished(1), LeanFuture[int]()
    standard: Future[int] = Future()
    done, not_done = wait([ready, later, standard], return_when=FIRST_COMPLETED)
    assert done == {ready}
    assert not_done == {later, standard}
    threading.Timer(0.01, lambda: (later.set_result(2), standard.set_exception(KeyError()))).start()
    assert set(as_completed([ready, later, standard], timeout=60)) == {ready, later, standard}
    done, _ = wait([later, standard], return_when=FIRST_EXCEPTION)
    assert done == {later, standard}


@pytest.mark.usefixtures("no_conditions")
def test_repr_shows_the_outcome_and_makes_no_condition() -> None:
    future: LeanFuture[int] = LeanFuture()
    assert "state=pending" in repr(future)
    future.set_result(1)
    assert "returned int" in repr(future)
    failed: LeanFuture[int] = LeanFuture()
    failed.set_exception(KeyError())
    assert "raised KeyError" in repr(failed)


def test_a_lean_future_is_small() -> None:
    import sys

    future: LeanFuture[None] = LeanFuture()
    future.set_result(None)
    assert sys.getsizeof(future) <= 128
    assert not future.__dict__


def test_awaiting() -> None:
    async def main() -> tuple[int, list[int]]:
        early, late = finished(1), LeanFuture[int]()
        asyncio.get_running_loop().call_soon(late.set_result, 2)
        return await late, await asyncio.gather(early, late)

    assert asyncio.run(main()) == (2, [1, 2])


def test_awaiting_a_failure_raises_it() -> None:
    failed: LeanFuture[int] = LeanFuture()
    failed.set_exception(KeyError("k"))

    async def main() -> int:
        return await failed

    with pytest.raises(KeyError):
        asyncio.run(main())


def test_cancelling_the_coroutine_that_awaits_does_not_cancel_the_future() -> None:
    future: LeanFuture[int] = LeanFuture()

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(future, 0.001)

    asyncio.run(main())
    assert not future.cancelled()
    future.set_result(1)


def test_wrap_future_is_the_standard_one_and_does_cancel() -> None:
    future: LeanFuture[int] = LeanFuture()

    async def main() -> None:
        asyncio.wrap_future(future).cancel()
        await asyncio.sleep(0)

    asyncio.run(main())
    assert future.cancelled()


def test_a_lean_future_cannot_be_pickled() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(LeanFuture())


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_can_use_futures_though_the_lock_was_held() -> None:
    from parsl.vocabulary import lean_future

    holding, release = threading.Event(), threading.Event()

    def hold() -> None:
        with lean_future._LOCK:
            holding.set()
            release.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    holding.wait(30)
    pid = os.fork()
    if pid == 0:
        future: LeanFuture[int] = LeanFuture()
        future.set_result(1)
        os._exit(future.result())
    release.set()
    holder.join()
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 1


class TestRaces:
    """Many short races; each must end correctly, whichever side wins."""

    ROUNDS = 300

    @staticmethod
    def race(*runners: Any) -> None:
        barrier = threading.Barrier(len(runners))
        errors: list[BaseException] = []

        def run(runner: Any) -> None:
            barrier.wait()
            try:
                runner()
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=run, args=(runner,)) for runner in runners]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive(), "a thread waits for ever"
        assert not errors

    def test_waiters_of_all_kinds_see_the_result(self) -> None:
        for _ in range(self.ROUNDS):
            futures: list[LeanFuture[int]] = [LeanFuture() for _ in range(5)]
            seen: list[Any] = []

            def complete(futures: list[LeanFuture[int]] = futures) -> None:
                for number, future in enumerate(futures):
                    future.set_result(number)

            def add(futures: list[LeanFuture[int]] = futures, seen: list[Any] = seen) -> None:
                for future in futures:
                    future.add_done_callback(lambda f: seen.append(f.result()))

            self.race(
                complete,
                add,
                lambda futures=futures: [future.result(10) for future in futures],
                lambda futures=futures: list(as_completed(futures, timeout=60)),
                lambda futures=futures: wait(futures, timeout=60).done == set(futures) or 1 / 0,
            )
            assert sorted(seen) == [0, 1, 2, 3, 4]

    def test_of_a_result_and_a_cancellation_exactly_one_wins(self) -> None:
        for _ in range(self.ROUNDS):
            future: LeanFuture[int] = LeanFuture()
            won: list[str] = []
            called: list[int] = []
            future.add_done_callback(lambda _, called=called: called.append(1))

            def finish(future: LeanFuture[int] = future, won: list[str] = won) -> None:
                try:
                    future.set_result(1)
                    won.append("result")
                except InvalidStateError:
                    pass

            def cancel(future: LeanFuture[int] = future, won: list[str] = won) -> None:
                if future.cancel():
                    won.append("cancel")

            def peek(future: LeanFuture[int] = future) -> None:
                try:
                    future.result(10)
                except CancelledError:
                    pass

            self.race(finish, cancel, peek)
            assert len(won) == 1
            assert called == [1]
            assert future.cancelled() == (won == ["cancel"])

    def test_of_many_results_exactly_one_wins(self) -> None:
        for _ in range(self.ROUNDS):
            future: LeanFuture[int] = LeanFuture()
            won: list[int] = []

            def finish(number: int, future: LeanFuture[int] = future, won: list[int] = won) -> None:
                try:
                    future.set_result(number)
                    won.append(number)
                except InvalidStateError:
                    pass

            self.race(*(lambda n=n: finish(n) for n in range(3)), lambda future=future: future.result(10))
            assert won == [future.result()]
