from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import parsl
from parsl.config import Config
from parsl.errors import ConfigurationError, NoDataFlowKernelError
from tests.dataflow.fakes import HoldingExecutor, PromptExecutor


def config(tmp_path: Any, **options: Any) -> Config:
    return Config(executors=[PromptExecutor()], run_dir=str(tmp_path), initialize_logging=False, **options)


def test_load_creates_a_kernel_and_the_end_of_the_block_unloads_it(tmp_path: Any) -> None:
    with parsl.load(config(tmp_path)) as dfk:
        assert parsl.dfk() is dfk
        parsl.wait_for_current_tasks()
    with pytest.raises(NoDataFlowKernelError, match=r"Must first load config.*parsl\.load"):
        parsl.dfk()
    with parsl.load(config(tmp_path)) as second:
        assert second is not dfk


def test_loading_twice_is_an_error(tmp_path: Any) -> None:
    with parsl.load(config(tmp_path)) as dfk:
        with pytest.raises(ConfigurationError, match="already been loaded"):
            parsl.load(config(tmp_path))
        assert parsl.dfk() is dfk


def test_after_an_explicit_cleanup_one_can_load_again(tmp_path: Any) -> None:
    parsl.load(config(tmp_path)).cleanup()
    parsl.load(config(tmp_path)).cleanup()
    parsl.clear()
    parsl.clear()


def test_after_an_explicit_cleanup_there_is_no_kernel(tmp_path: Any) -> None:
    app = parsl.python_app(abs)
    kernel = parsl.load(config(tmp_path))
    assert app(-1).result() == 1
    kernel.cleanup()
    for use in (parsl.dfk, parsl.wait_for_current_tasks, lambda: app(-1)):
        with pytest.raises(NoDataFlowKernelError, match=rf"Must first load.*{kernel.run_dir} is over"):
            use()
    parsl.clear()


def test_clear_forgets_without_cleaning_up(tmp_path: Any) -> None:
    dfk = parsl.load(config(tmp_path))
    parsl.clear()
    assert not dfk.cleanup_called
    with pytest.raises(NoDataFlowKernelError):
        parsl.wait_for_current_tasks()
    dfk.cleanup()


def test_exit_mode_skip_leaves_it_loaded(tmp_path: Any) -> None:
    with parsl.load(config(tmp_path, exit_mode="skip")) as dfk:
        pass
    assert parsl.dfk() is dfk
    dfk.cleanup()
    parsl.clear()


def test_a_load_that_fails_leaves_nothing_loaded(tmp_path: Any) -> None:
    bad = HoldingExecutor()
    bad.start = lambda: 1 / 0  # type: ignore[method-assign, assignment, return-value]
    with pytest.raises(ZeroDivisionError):
        parsl.load(Config(executors=[bad], run_dir=str(tmp_path)))
    with pytest.raises(NoDataFlowKernelError):
        parsl.dfk()


def run_script(tmp_path: Any, script: str) -> str:
    import os

    source = os.path.dirname(os.path.dirname(parsl.__file__))
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def test_a_script_may_replace_the_function_that_makes_the_run_directory(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from parsl.dataflow.rundirs import make_rundir

    assert parsl.dataflow.dflow.make_rundir is make_rundir
    monkeypatch.setattr(parsl.dataflow.dflow, "make_rundir", lambda path: path)
    mine = tmp_path / "internal" / "mine"
    with parsl.load(config(mine)) as kernel:
        assert kernel.run_dir == str(mine)
        assert mine.is_dir()


def test_a_run_directory_that_cannot_be_created_is_named(tmp_path: Any) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConfigurationError, match=r"run_dir is .*taken.*File exists.*Config\(run_dir"):
        parsl.load(Config(run_dir=str(tmp_path / "taken")))


def test_without_logging_nothing_is_printed(tmp_path: Any) -> None:
    script = """
import parsl
with parsl.load(parsl.Config(initialize_logging=False)) as dfk:
    print(dfk.submit(lambda: 1 / 0, (), "all", False, None, {}).exception())
"""
    assert run_script(tmp_path, script) == "division by zero\n"


def test_python_ends_with_a_cleanup_in_any_case(tmp_path: Any) -> None:
    script = """
import parsl
parsl.load()
future = parsl.dfk().submit(lambda: 1, (), "all", False, None, {})
future.add_done_callback(lambda future: print(future.result()))
future.result()
"""
    assert run_script(tmp_path, script) == "1\n"
    log = (tmp_path / "runinfo" / "000" / "parsl.log").read_text()
    assert "Cleanup of <DataFlowKernel cleaned up" in log


def test_users_threads_can_continue_after_the_main_script(tmp_path: Any) -> None:
    script = """
import parsl, threading
parsl.load()
main_is_over = threading.main_thread().join
def work():
    main_is_over()
    print(parsl.dfk().submit(lambda: 5, (), "all", False, None, {}).result())
threading.Thread(target=work).start()
"""
    assert run_script(tmp_path, script) == "5\n"


def test_the_end_of_a_forked_child_does_not_affect_the_parents_run(tmp_path: Any) -> None:
    script = """
import os, parsl, sys
dfk = parsl.load()
if os.fork() == 0:
    sys.exit()
os.wait()
print(dfk.submit(lambda: 5, (), "all", False, None, {}).result())
"""
    assert run_script(tmp_path, script) == "5\n"
