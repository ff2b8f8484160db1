from __future__ import annotations

import asyncio
import pickle
from concurrent.futures import Future, as_completed, wait
from types import SimpleNamespace
from typing import Any

import pytest

from parsl.dataflow.errors import DependencyError
from tests.dataflow.fakes import HoldingExecutor, PromptExecutor, add, call, fail, kernel
from tests.support.waiting import is_waiting


def same(value: Any) -> Any:
    return value


class TestParts:
    def test_items_and_attributes_are_futures(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            whole = call(dfk, same, {"a": [SimpleNamespace(x=SimpleNamespace(y=7))]})
            part = whole["a"][0].x.y
            child = call(dfk, add, part, 1)
            assert not part.done()
            assert part.tid == 4
            assert executor.run_all() == 2
            assert part.result() == 7
            assert child.result() == 8

    def test_parts_of_a_done_future_are_immediate_even_after_the_cleanup(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            whole = call(dfk, same, [7])
            assert whole[0].result(0) == 7
        assert whole[0].result(0) == 7

    def test_the_key_may_be_a_future(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            key = call(dfk, same, 1)
            part = call(dfk, same, [7, 8])[key]
            executor.run_all()
            assert part.result(5) == 8
            lost = call(dfk, same, [7, 8])[call(dfk, fail)]
            executor.run_all()
            assert isinstance(lost.exception(5), DependencyError)

    def test_a_missing_part_fails(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            whole = call(dfk, same, [7])
            assert isinstance(whole[1].exception(0), IndexError)
            assert isinstance(whole.nothing.exception(0), AttributeError)

    def test_parts_of_a_failed_future_fail(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            assert "ValueError: failed" in str(call(dfk, fail)[0].exception(0))

    def test_private_names_are_refused(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            future = call(dfk, same, 1)
            with pytest.raises(AttributeError, match="_private"):
                _ = future._private
            assert not hasattr(future, "__array__")

    @pytest.mark.parametrize(
        "use",
        [
            lambda future: future + 1,
            lambda future: 1 - future,
            lambda future: sum([future, future]),
            lambda future: "%s" + future,
            lambda future: -future,
            lambda future: future < 3,
            lambda future: future > 3,
            lambda future: divmod(7, future),
            lambda future: sorted([future, future]),
        ],
    )
    def test_operators_are_refused_with_advice(self, tmp_path: Any, use: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            whole = call(dfk, same, 7)
            with pytest.raises(TypeError, match=r"its result is not known yet. Pass the future to an app"):
                use(whole)
            assert whole != 7
            assert {whole: 1}[whole] == 1

    def test_iterating_is_refused_instead_of_endless(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            future = call(dfk, same, [1, 2])
            with pytest.raises(TypeError, match=r"Iterate over \.result\(\)"):
                _first, _second = future
            with pytest.raises(TypeError):
                _ = 1 in future


def test_the_standard_librarys_functions_accept_them(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor) as dfk:
        futures = [call(dfk, add, number) for number in range(5)]
        futures.append(call(dfk, add, futures[0], Future()))
        futures[5].cancel()
        executor.held.pop(0).run()
        assert wait(futures, timeout=0).done == {futures[0], futures[5]}
        executor.run_all()
        assert set(as_completed(futures, timeout=60)) == set(futures)


def test_cancelling_wakes_waiting_threads(tmp_path: Any, wait_until: Any) -> None:
    from threading import Thread

    with kernel(tmp_path, HoldingExecutor()) as dfk:
        future = call(dfk, add, Future())
        waiting = Thread(target=wait, args=([future],))
        waiting.start()
        wait_until(lambda: is_waiting(waiting))
        future.cancel()
        waiting.join(10)
        assert not waiting.is_alive()


def test_awaiting(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor) as dfk:

        async def main() -> Any:
            futures = [call(dfk, add, number) for number in range(3)]
            asyncio.get_running_loop().call_soon(executor.run_all)
            return await asyncio.gather(*futures), await futures[0]

        assert asyncio.run(main()) == ([0, 1, 2], 0)


def test_a_cancelled_coroutine_leaves_the_task_alone(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor) as dfk:
        future = call(dfk, add)

        async def main() -> None:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(future, 0.001)

        asyncio.run(main())
        assert not future.cancelled()
        executor.run_all()
        assert future.result() == 0


def test_pickling_a_future_is_an_error_with_advice(tmp_path: Any) -> None:
    with (
        kernel(tmp_path, PromptExecutor()) as dfk,
        pytest.raises(TypeError, match="DEEP_DEPENDENCY_RESOLVER"),
    ):
        pickle.dumps(call(dfk, add))


def test_repr(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor) as dfk:
        future = call(dfk, add)
        assert repr(future) == "<AppFuture task 0 add state=pending>"
        executor.run_all()
        assert repr(future) == "<AppFuture task 0 add state=finished returned int>"


def test_a_result_set_by_other_code_does_no_harm(tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor) as dfk:
        future = call(dfk, add)
        future.set_result("theirs")
        executor.run_all()
        assert future.result() == "theirs"
        assert "set by other code" in caplog.text
        dfk.wait_for_current_tasks()
