"""Which of several executors a task gets: by load, or by a function of the user's."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from parsl import HighThroughputExecutor, ThreadPoolExecutor
from parsl.config import Config
from parsl.dataflow.dflow import DataFlowKernel
from parsl.dataflow.executor_selection import Candidate, least_loaded
from parsl.errors import ConfigurationError
from parsl.providers import LocalProvider
from tests.dataflow.fakes import HoldingExecutor, PromptExecutor, call, fail, kernel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.conftest import WaitUntil


class SizedExecutor(HoldingExecutor):
    """Holds its tasks, and reports a number of slots."""

    def __init__(self, label: str, slots: int | None) -> None:
        super().__init__(label)
        self.slots = slots

    def current_slots(self) -> int | None:
        return self.slots


def same(value: Any = None, **kwargs: Any) -> Any:
    return value


def test_tasks_are_shared_out_by_slots(tmp_path: Path) -> None:
    large, small = SizedExecutor("large", 6), SizedExecutor("small", 2)
    unknown = SizedExecutor("unknown", None)
    with kernel(tmp_path, large, small, unknown, executor_selector=least_loaded) as dfk:
        for number in range(90):
            call(dfk, same, number)
        assert [len(executor.held) for executor in (large, small, unknown)] == [60, 20, 10]
        for executor in (large, small, unknown):
            executor.run_all()


def test_an_executor_without_slots_gets_some_tasks_so_that_it_requests_blocks(tmp_path: Path) -> None:
    threads, blocks = SizedExecutor("threads", 4), SizedExecutor("blocks", 0)
    with kernel(tmp_path, threads, blocks, executor_selector=least_loaded) as dfk:
        for number in range(10):
            call(dfk, same, number)
        assert [len(threads.held), len(blocks.held)] == [8, 2]
        blocks.slots = 400
        for number in range(90):
            call(dfk, same, number)
        assert [len(threads.held), len(blocks.held)] == [8, 92]
        for executor in (threads, blocks):
            executor.run_all()


def test_tasks_that_have_ended_do_not_count(tmp_path: Path) -> None:
    seen: list[list[int]] = []

    def first(task: Any, candidates: Sequence[Candidate]) -> str:
        seen.append([candidate.unfinished for candidate in candidates])
        return candidates[0].label

    one, other = HoldingExecutor("one"), HoldingExecutor("other")
    with kernel(tmp_path, one, other, executor_selector=first) as dfk:
        done, failed, cancelled = call(dfk, same, 1), call(dfk, fail), call(dfk, same, 2)
        waiting = call(dfk, same, failed)
        call(dfk, same, 3)
        assert seen[-1] == [4, 0]
        assert cancelled.cancel()
        one.run_all()
        assert done.result(5) == 1
        assert waiting.exception(5) is not None
        call(dfk, same, 4)
        assert seen[-1] == [0, 0]
        one.run_all()


def test_a_call_that_is_refused_does_not_count(tmp_path: Path) -> None:
    seen: list[int] = []

    def first(task: Any, candidates: Sequence[Candidate]) -> str:
        seen.append(candidates[0].unfinished)
        return candidates[0].label

    with kernel(tmp_path, PromptExecutor("a"), PromptExecutor("b"), executor_selector=first) as dfk:
        for _ in range(2):
            with pytest.raises(TypeError, match="walltime"):
                call(dfk, same, 1, walltime="long")
        from parsl import File

        with pytest.raises(Exception, match="gopher"):
            call(dfk, same, File("gopher://host/file"))
        call(dfk, same, 1)
    assert seen[-1] == 0


def test_a_function_of_the_users_sees_the_task_and_the_executors_that_its_app_allows(tmp_path: Path) -> None:
    seen: list[Any] = []

    def by_specification(task: Any, candidates: Sequence[Candidate]) -> str:
        seen.append((task.func_name, list(task.args), [candidate.label for candidate in candidates]))
        assert all(candidate.executor.label == candidate.label for candidate in candidates)
        return str(task.resource_specification.get("site", candidates[-1].label))

    executors = [HoldingExecutor(label) for label in ("a", "b", "c")]
    with kernel(tmp_path, *executors, executor_selector=by_specification) as dfk:
        dfk.submit(same, [1], ["a", "c"], False, None, {})
        dfk.submit(same, [2], ["a", "c"], False, None, {"parsl_resource_specification": {"site": "a"}})
        dfk.submit(same, [3], ["b"], False, None, {})  # nothing to select
        assert seen == [("same", [1], ["a", "c"]), ("same", [2], ["a", "c"])]
        assert [[held.args[0] for held in each.held] for each in executors] == [[2], [3], [1]]
        for executor in executors:
            executor.run_all()


def test_the_paths_of_automatic_streams_are_chosen_for_the_selected_executor(tmp_path: Path) -> None:
    seen: list[str] = []

    def path_of(task: Any, stream: str) -> str:
        seen.append(task["executor"])
        return str(tmp_path / stream)

    executors = [PromptExecutor("a"), PromptExecutor("b")]
    with kernel(tmp_path, *executors, executor_selector=lambda *_: "b", std_autopath=path_of) as dfk:
        for _ in range(8):
            call(dfk, same, 1, stdout=-1)
    assert Counter(seen) == {"b": 8}


@pytest.mark.parametrize("answer", ["elsewhere", None, 3])
def test_a_wrong_label_is_an_error_of_the_call(tmp_path: Path, answer: Any) -> None:
    def wrong(task: Any, candidates: Any) -> Any:
        return answer

    expected = rf"executor_selector wrong has returned {answer!r} for app same; .*: 'a', 'b'"
    with kernel(tmp_path, PromptExecutor("a"), PromptExecutor("b"), executor_selector=wrong) as dfk:
        with pytest.raises(ValueError, match=expected):
            call(dfk, same, 1)
        assert dfk.task_count == 0


def test_an_exception_of_the_selector_is_raised_by_the_call(tmp_path: Path) -> None:
    def broken(task: Any, candidates: Any) -> str:
        raise RuntimeError("no idea")

    executors = PromptExecutor("a"), PromptExecutor("b")
    with kernel(tmp_path, *executors, executor_selector=broken) as dfk:
        with pytest.raises(RuntimeError, match="no idea"):
            call(dfk, same, 1)
        assert dfk.task_count == 0


def test_a_selector_is_a_function() -> None:
    with pytest.raises(ConfigurationError, match="executor_selector is 'least_loaded'"):
        Config(executor_selector="least_loaded")  # type: ignore[arg-type]


def test_executors_report_their_slots(tmp_path: Path, wait_until: WaitUntil) -> None:
    assert ThreadPoolExecutor(max_threads=3).current_slots() == 3
    assert PromptExecutor().current_slots() is None
    provider = LocalProvider(init_blocks=1)
    workers = HighThroughputExecutor(max_workers_per_node=2, cores_per_worker=0.1, provider=provider)
    assert not workers.current_slots()
    with DataFlowKernel(Config([workers], run_dir=str(tmp_path))):
        wait_until(lambda: workers.current_slots() == 2)
