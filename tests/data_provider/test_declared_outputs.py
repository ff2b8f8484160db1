"""A file that two tasks write at the same time is one that nobody can rely on."""

from __future__ import annotations

import logging
import warnings
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

import parsl
from parsl.data_provider.files import File
from parsl.dataflow.declared_outputs import SharedOutputWarning
from parsl.validate import ParameterError
from tests.data_provider.apps import app, write


@pytest.fixture
def held() -> Future[str]:
    """What the first task waits for."""
    return Future()


def release(kernel: Any, held: Future[str]) -> None:
    held.set_result("x")
    kernel.wait_for_current_tasks()


@pytest.mark.parametrize("again", ["/x/y", "/x/./y", "/x//y", "file:/x/y", "file:///x/y"])
def test_the_same_file_twice_in_a_call_is_an_error(threads: Any, again: str) -> None:
    with pytest.raises(ParameterError, match=f"app write: outputs has the file '{again}' twice"):
        app(threads(), write)("x", outputs=[File("/x/y"), File(again)])


def test_the_same_file_of_two_unfinished_tasks_is_warned_of(
    threads: Any, tmp_path: Path, held: Future[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    kernel = threads()
    first = app(kernel, write)(held, outputs=[File(tmp_path / "x")])
    with pytest.warns(SharedOutputWarning, match=f"unfinished task {first.tid} writes") as said:
        app(kernel, write)("x", outputs=[File(tmp_path / "x")])
    assert f"declares the output {tmp_path}/x" in str(said[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        app(kernel, write)("x", outputs=[File(f"file:{tmp_path}/./x")])
    release(kernel, held)
    app(kernel, write)("x", outputs=[File(tmp_path / "x")]).result()
    logged = [record.message for record in caplog.records if "declares the output" in record.message]
    assert len(logged) == 2, "each time in the log, once on stderr, and not when it is done"


@pytest.mark.filterwarnings("error")
class TestNoReasonToWarn:
    def test_one_task_depends_on_the_other(self, threads: Any, tmp_path: Path, held: Future[str]) -> None:
        kernel = threads()
        update = app(kernel, lambda *_, outputs: write("x", outputs))
        first = update(held, outputs=[File(tmp_path / "x")])
        second = update(first, outputs=[File(tmp_path / "x")])
        third = update(app(kernel, str)(second.outputs[0]), outputs=[File(tmp_path / "x")])
        fourth = update(app(kernel, str)(third)[0], outputs=[File(tmp_path / "x")])
        release(kernel, held)
        assert fourth.exception() is None

    def test_both_may_be_the_same_call(self, threads: Any, tmp_path: Path, held: Future[str]) -> None:
        kernel = threads()
        call = parsl.python_app(write, data_flow_kernel=kernel, cache=True)
        futures = [call(held, outputs=[File(tmp_path / "x")]) for _ in range(2)]
        release(kernel, held)
        assert sorted(future.task_status() for future in futures) == ["exec_done", "memo_done"]

    def test_a_join_app_hands_its_outputs_on(self, threads: Any, tmp_path: Path) -> None:
        kernel = threads()
        inner = app(kernel, write)

        @parsl.join_app(data_flow_kernel=kernel)
        def outer(outputs: Any) -> Any:
            return inner("x", outputs=outputs)

        assert outer(outputs=[File(tmp_path / "x")]).outputs[0].result().filepath == str(tmp_path / "x")

    def test_they_are_in_different_places(self, threads: Any, tmp_path: Path, held: Future[str]) -> None:
        kernel = threads()
        for name in ("x", "y", "z/x"):
            app(kernel, write)(held, outputs=[File(tmp_path / name)])
        release(kernel, held)
