from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

import parsl
from parsl.app.errors import AppTimeout
from parsl.data_provider.files import File
from parsl.dataflow.special_arguments import make_autopath
from parsl.validate import ParameterError
from parsl.vocabulary import SPECIAL_NAMES, for_function
from tests.dataflow.fakes import HoldingExecutor, PromptExecutor, call, kernel

ALL_SPECIAL: dict[str, Any] = {
    "inputs": [1],
    "outputs": [],
    "stdout": "o",
    "stderr": "e",
    "walltime": 100,
    "label": "l",
    "parsl_resource_specification": {},
}


class TestWhatTheFunctionSees:
    def test_all_special_arguments_are_known(self) -> None:
        assert set(ALL_SPECIAL) == SPECIAL_NAMES

    def test_a_function_gets_special_arguments_for_its_parameters(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            future = call(
                dfk, lambda inputs, stdout, label, walltime: (inputs, stdout, label, walltime), **ALL_SPECIAL
            )
            assert future.result() == ([1], "o", "l", 100)

    def test_a_function_without_such_parameters_gets_none(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            assert call(dfk, lambda: 7, **ALL_SPECIAL).result() == 7

    def test_a_function_with_any_keywords_gets_all(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            assert call(dfk, lambda **given: given, **ALL_SPECIAL).result() == ALL_SPECIAL

    def test_keyword_only_and_positional_only_parameters(self) -> None:
        def func(label: str, /, *, stdout: str) -> None: ...

        assert for_function(func, {"label": 1, "stdout": 2, "stderr": 3, "x": 4}) == {"stdout": 2, "x": 4}

    def test_an_argument_that_is_not_special_is_always_passed(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            assert isinstance(call(dfk, lambda: 7, label="l", other=1).exception(), TypeError)

    def test_inputs_are_dependencies_even_if_the_function_takes_none(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            first = call(dfk, lambda: 1)
            second = call(dfk, lambda: 2, inputs=[first])
            assert second.task_status() == "pending"
            executor.run_all()
            assert second.result() == 2

    def test_the_callers_dictionary_is_unchanged(self, tmp_path: Any) -> None:
        arguments = {"stdout": parsl.AUTO_LOGNAME, "label": "l"}
        with kernel(tmp_path, PromptExecutor()) as dfk:
            dfk.submit(lambda: None, (), "all", False, None, arguments)
        assert arguments == {"stdout": parsl.AUTO_LOGNAME, "label": "l"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"inputs": 3},
        {"inputs": File("one")},
        {"outputs": File("one")},
        {"stdout": 3},
        {"stdout": True},
        {"stderr": ("path",)},
        {"stderr": ("path", 3)},
        {"stdout": ["path", "w"]},
        {"walltime": "long"},
        {"walltime": 0},
        {"walltime": -1},
        {"label": 3},
        {"parsl_resource_specification": [1]},
    ],
)
def test_a_wrong_argument_is_an_error_at_the_call_that_names_app_and_argument(
    tmp_path: Any, wrong: Any
) -> None:
    with kernel(tmp_path, PromptExecutor()) as dfk:
        with pytest.raises(ParameterError, match=f"app <lambda>: {next(iter(wrong))} is "):
            call(dfk, lambda **_: None, **wrong)
        assert not dfk.tasks


@pytest.mark.parametrize(
    "stream",
    ["path", Path("path"), ("path", "w"), (Path("path"), "w"), File("path"), None],
    ids=lambda stream: type(stream).__name__,
)
def test_streams_are_shown_as_given(tmp_path: Any, stream: Any) -> None:
    with kernel(tmp_path, PromptExecutor()) as dfk:
        future = call(dfk, lambda stdout, stderr: (stdout, stderr), stdout=stream, stderr=stream)
        assert future.result() == (stream, stream)
        if isinstance(stream, File):
            assert future.stdout.result() is stream
            assert future.stderr.filepath == "path"
        else:
            assert future.stdout == future.stderr == stream


class TestAutoLogname:
    def test_it_is_a_path_in_the_run_directory(self, tmp_path: Any) -> None:
        def hello(stdout: Any, stderr: Any = None, label: Any = None) -> Any:
            return stdout, stderr

        with kernel(tmp_path, PromptExecutor()) as dfk:
            call(dfk, hello, stdout=None)
            future = call(dfk, hello, stdout=parsl.AUTO_LOGNAME, stderr=parsl.AUTO_LOGNAME, label="a/b")
            logs = f"{dfk.run_dir}/task_logs/0000/task_0001_hello_a_b"
            assert future.result() == (f"{logs}.stdout", f"{logs}.stderr")
            assert future.stdout == f"{logs}.stdout"
            assert os.path.isabs(logs)

    def test_a_directory_for_each_ten_thousand_tasks(self, tmp_path: Any) -> None:
        logs = f"{tmp_path}/task_logs/0012"
        path = make_autopath(str(tmp_path), 123_456, "time", None, "stderr")
        assert path == f"{logs}/task_123456_time.stderr"
        assert os.path.isdir(logs)

    def test_std_autopath_chooses(self, tmp_path: Any) -> None:
        def choose(record: Any, stream: str) -> Any:
            return f"/{record['id']}/{record['func_name']}/{stream}", "w"

        with kernel(tmp_path, PromptExecutor(), std_autopath=choose) as dfk:
            future = call(dfk, lambda stdout: stdout, stdout=parsl.AUTO_LOGNAME)
            assert future.result() == future.stdout == ("/0/<lambda>/stdout", "w")

    def test_a_std_autopath_that_raises_is_an_error_at_the_call(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor(), std_autopath=lambda *_: 1 / 0) as dfk:
            with pytest.raises(ZeroDivisionError):
                call(dfk, lambda: None, stdout=parsl.AUTO_LOGNAME)
            assert not dfk.tasks


class TestWalltime:
    def test_an_executor_that_enforces_walltimes_gets_the_walltime(self, tmp_path: Any) -> None:
        executor = PromptExecutor()
        executor.enforces_walltime = True
        with kernel(tmp_path, executor) as dfk:
            call(dfk, lambda: 1, walltime=3, parsl_resource_specification={"priority": 1}).result()
            call(dfk, lambda: 1).result()
        assert executor.specifications == [{"priority": 1, "walltime_s": 3}, {}]

    def test_for_other_executors_the_function_is_wrapped(self, tmp_path: Any) -> None:
        def forever() -> None:
            while True:
                time.sleep(0.001)

        executor = PromptExecutor()
        with kernel(tmp_path, executor) as dfk:
            assert isinstance(call(dfk, forever, walltime=0.05).exception(), AppTimeout)
            assert call(dfk, lambda: 7, walltime=30).result() == 7
        assert executor.specifications == [{}, {}]

    def test_for_an_enforcing_executor_the_function_is_not_wrapped(self, tmp_path: Any) -> None:
        class Own:
            enforces_walltime = True

            def __call__(self, walltime: float) -> Any:
                return self, walltime

        func, executor = Own(), HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            call(dfk, func, walltime=3)
            assert executor.held[0].func is func

    def test_the_specification_given_is_not_changed(self, tmp_path: Any) -> None:
        executor = PromptExecutor()
        executor.enforces_walltime = True
        given: dict[str, Any] = {}
        with kernel(tmp_path, executor) as dfk:
            call(dfk, lambda: 1, walltime=3, parsl_resource_specification=given)
        assert given == {}
