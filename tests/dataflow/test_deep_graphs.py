"""Long chains, wide joins and many threads need no deep stack."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

from parsl.dataflow.errors import DependencyError
from parsl.dataflow.states import States
from tests.dataflow.fakes import HoldingExecutor, PromptExecutor, add, call, kernel


class TestDepth:
    LENGTH = 20_000

    def test_a_long_chain_needs_no_deep_stack(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            root: Future[int] = Future()
            last: Any = root
            for _ in range(self.LENGTH):
                last = call(dfk, add, last, 1)
            root.set_result(0)
            assert last.result() == self.LENGTH

    def test_a_failure_at_the_head_of_a_long_chain(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            root: Future[int] = Future()
            last: Any = root
            for _ in range(self.LENGTH):
                last = call(dfk, add, last)
            root.set_exception(ValueError("root"))
            assert isinstance(last.exception(), DependencyError)
            assert "ValueError: root" in str(last.exception())
            assert dfk.task_state_counts[States.dep_fail] == self.LENGTH

    def test_a_long_chain_of_parts(self, tmp_path: Any) -> None:
        nested: list[Any] = []
        nested.append(nested)
        with kernel(tmp_path, PromptExecutor()) as dfk:
            root: Future[Any] = Future()
            last: Any = call(dfk, lambda x: x, root)
            for _ in range(2000):
                last = last[0]
            root.set_result(nested)
            assert last.result() is nested

    def test_a_wide_fan_in(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            total = call(dfk, add, *[call(dfk, add, 1) for _ in range(10_000)])
            assert executor.run_all() == 10_001
            assert total.result() == 10_000

    def test_a_users_callback_may_wait_for_a_dependent(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            root: Future[int] = Future()
            parent = call(dfk, add, root)
            seen: list[int] = []
            parent.add_done_callback(lambda _: seen.append(child.result(5)))
            child = call(dfk, add, parent, 1)
            root.set_result(1)
            assert seen == [2]

    def test_many_threads_submit_and_complete(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            over = threading.Event()

            def complete() -> None:
                while not over.is_set() or executor.held:
                    try:
                        executor.held.pop(0).run()
                    except IndexError:
                        over.wait(0.001)

            def submit(results: list[Any]) -> None:
                last = call(dfk, add, 0)
                for _ in range(300):
                    last = call(dfk, add, last, 1)
                results.append(last.result(30))

            results: list[Any] = []
            completers = [threading.Thread(target=complete) for _ in range(3)]
            submitters = [threading.Thread(target=submit, args=(results,)) for _ in range(4)]
            for thread in completers + submitters:
                thread.start()
            for thread in submitters:
                thread.join()
            over.set()
            for thread in completers:
                thread.join()
            assert results == [300] * 4
            assert dfk.task_count == 4 * 301
            assert not dfk.tasks
