"""Two tasks that write the same file at the same time make its content unreliable."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

import parsl
from parsl.data_provider.files import File
from parsl.data_provider.staging import Staging
from parsl.dataflow.tasks.declared_outputs import SharedOutputWarning
from parsl.validate import ParameterError
from tests.data_provider.apps import app, write


@pytest.fixture
def held() -> Future[str]:
    """The event that the first task waits for."""
    return Future()


def release(kernel: Any, held: Future[str]) -> None:
    held.set_result("x")
    kernel.wait_for_current_tasks()


def test_a_relative_and_an_absolute_path_are_the_same_file(
    threads: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError, match=f"outputs has the file '{tmp_path}/y' twice"):
        app(threads(), write)("x", outputs=[File("y"), File(tmp_path / "y")])


@pytest.mark.parametrize("again", ["/x/y", "/x/./y", "/x//y", "file:/x/y", "file:///x/y"])
def test_the_same_file_twice_in_a_call_is_an_error(threads: Any, again: str) -> None:
    with pytest.raises(ParameterError, match=f"app write: outputs has the file '{again}' twice"):
        app(threads(), write)("x", outputs=[File("/x/y"), File(again)])


def test_the_same_file_of_two_unfinished_tasks_causes_a_warning(
    threads: Any, tmp_path: Path, held: Future[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    kernel = threads()
    first = app(kernel, write)(held, outputs=[File(tmp_path / "x")])
    with pytest.warns(SharedOutputWarning, match=f"unfinished task {first.tid} writes") as caught:
        second = app(kernel, write)(held, outputs=[File(tmp_path / "x")])
    assert f"declares the output {tmp_path}/x" in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        third = app(kernel, write)(held, outputs=[File(f"file:{tmp_path}/./x")])
    release(kernel, held)
    second.result()
    third.result()
    app(kernel, write)("x", outputs=[File(tmp_path / "x")]).result()
    logged = [record.message for record in caplog.records if "declares the output" in record.message]
    assert len(logged) == 2, "each time in the log, once on stderr, and not when it is done"


class SlowShelf(Staging):
    """Stages its files out as soon as a future is done."""

    schemes = ("shelf",)

    def __init__(self, held: Future[str]) -> None:
        self.held = held

    def can_stage_in(self, file: File) -> bool:
        return file.scheme == "shelf"

    can_stage_out = can_stage_in

    def stage_in(self, dm: Any, executor: str, file: File, parent_fut: Any) -> None:
        file.local_path = "/x"

    def stage_out(self, dm: Any, executor: str, file: File, app_fu: Future[Any]) -> Future[Any]:
        return app(dm.dfk, lambda *_: None)(app_fu, self.held)  # type: ignore[no-any-return]


class TestNoReasonToWarn:
    @pytest.fixture(autouse=True)
    def no_warning(self, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
        caplog.set_level(logging.WARNING)
        yield
        logged = [record.message for record in caplog.get_records("call")]
        assert [text for text in logged if "declares the output" in text] == []

    def test_one_task_depends_on_the_other(self, threads: Any, tmp_path: Path, held: Future[str]) -> None:
        kernel = threads()
        update = app(kernel, lambda *_, outputs: write("x", outputs))
        first = update(held, outputs=[File(tmp_path / "x")])
        second = update(first, outputs=[File(tmp_path / "x")])
        third = update(app(kernel, str)(second.outputs[0]), outputs=[File(tmp_path / "x")])
        fourth = update(app(kernel, str)(third)[0], outputs=[File(tmp_path / "x")])
        release(kernel, held)
        assert fourth.exception() is None

    @pytest.mark.parametrize("steps_between", [0, 1])
    def test_the_file_of_a_completed_task_is_still_being_staged_out(
        self, threads: Any, held: Future[str], steps_between: int
    ) -> None:
        kernel = threads([SlowShelf(held)])
        step = app(kernel, lambda *_, outputs=(): None)
        first = step(outputs=[File("shelf:/x")])
        first.result(60)
        before = first.outputs[0]
        for _ in range(steps_between):
            before = step(before)
        second = step(before, outputs=[File("shelf:/x")])
        assert not second.done()
        release(kernel, held)
        assert second.exception() is None

    def test_both_may_be_the_same_call(self, threads: Any, tmp_path: Path, held: Future[str]) -> None:
        kernel = threads()
        call = parsl.python_app(write, data_flow_kernel=kernel, cache=True)
        futures = [call(held, outputs=[File(tmp_path / "x")]) for _ in range(2)]
        release(kernel, held)
        assert sorted(future.task_status() for future in futures) == ["exec_done", "memo_done"]

    def test_a_join_app_passes_its_outputs_on(self, threads: Any, tmp_path: Path) -> None:
        kernel = threads()
        inner = app(kernel, write)

        @parsl.join_app(data_flow_kernel=kernel)
        def outer(outputs: Any) -> Any:
            return inner("x", outputs=outputs)

        assert outer(outputs=[File(tmp_path / "x")]).outputs[0].result().filepath == str(tmp_path / "x")

    def test_files_in_different_places_cause_no_warning(
        self, threads: Any, tmp_path: Path, held: Future[str]
    ) -> None:
        kernel = threads()
        for name in ("x", "y", "z/x"):
            app(kernel, write)(held, outputs=[File(tmp_path / name)])
        release(kernel, held)
