from __future__ import annotations

import threading

import pytest

from parsl.common.threads import at_end, together


def test_deferred_functions_are_called_once_at_the_end() -> None:
    done: list[str] = []

    def end() -> None:
        done.append("end")

    def work(count: int) -> None:
        for _ in range(count):
            assert at_end(end)
            done.append("work")
        together(done.append, "inside")

    together(work, 3)
    assert done == ["work", "work", "work", "inside", "end"]
    assert not at_end(end)


def test_deferred_functions_are_called_after_exceptions_too() -> None:
    done: list[int] = []

    def work() -> None:
        at_end(lambda: 1 / 0)
        at_end(lambda: done.append(1))
        raise ValueError("failed")

    with pytest.raises(ValueError, match="failed"):
        together(work)
    assert done == [1]


def test_each_thread_has_its_own_batches() -> None:
    answers: list[bool] = []

    def work() -> None:
        thread = threading.Thread(target=lambda: answers.append(at_end(print)))
        thread.start()
        thread.join()

    together(work)
    assert answers == [False]
