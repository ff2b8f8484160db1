"""Runs in notebooks: apps defined in cells, cells that are interrupted, kernels that are restarted."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

from tests.system.driver import PREAMBLE, SOURCES, configured_paths, processes_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import WaitUntil

PATIENCE_S = 60.0

LOAD = (
    PREAMBLE
    + """
parsl.load(make_config())

@python_app
def double(x):
    return 2 * x

@python_app
def hold(path, payload=b""):
    import os, time
    open(path, "w").close()
    time.sleep(1000)
"""
)
WAIT_FOR_LONG = "hold(os.path.abspath('begun'), bytes(1_000_000)).result()"


class Notebook:
    """An IPython kernel in its own directory, and a client that runs cells in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel(cwd=str(directory), env={**os.environ, "PYTHONPATH": str(SOURCES)})
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=PATIENCE_S)

    def run(self, cell: str) -> str:
        """Run a cell; return its output, or the name of the error that it raised."""
        return self.result_of(self.begin(cell))

    def begin(self, cell: str) -> str:
        """Start a cell; return its number."""
        number: str = self._client.execute(textwrap.dedent(cell))
        return number

    def result_of(self, number: str) -> str:
        text = ""
        while True:
            message: Any = self._client.get_iopub_msg(timeout=PATIENCE_S)
            if message["parent_header"].get("msg_id") != number:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream" and content["name"] == "stdout":
                text += content["text"]
            elif kind == "error":
                text += content["ename"]
            elif kind == "status" and content["execution_state"] == "idle":
                return text

    def interrupt(self) -> None:
        self._manager.interrupt_kernel()

    def restart(self, *, now: bool) -> None:
        """Replace the kernel; with `now`, the old kernel has no time to clean up."""
        self._manager.restart_kernel(now=now)
        self._client.wait_for_ready(timeout=PATIENCE_S)

    def close(self) -> None:
        """Shut the kernel down, as closing a notebook does."""
        self._client.stop_channels()
        if self._manager.has_kernel:
            self._manager.shutdown_kernel()


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of notebooks; Jupyter's own files go to another temporary directory."""
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("JUPYTER_PATH", f"{sys.prefix}/share/jupyter")
    made = tmp_path / "notebooks"
    made.mkdir()
    return made


@pytest.fixture
def notebook(directory: Path, wait_until: WaitUntil) -> Iterator[Notebook]:
    made = Notebook(directory)
    yield made
    made.close()
    wait_until(lambda: not left_in(directory), PATIENCE_S, f"the end of {left_in(directory)}")


def is_running(process: psutil.Process) -> bool:
    return bool(process.is_running())


def left_in(directory: Path) -> list[object]:
    """Remaining processes and files in memory of the notebooks in a directory."""
    return [*processes_in(directory), *filter(os.path.exists, configured_paths(directory, "spool"))]


def test_a_notebook_is_executed_from_top_to_bottom(directory: Path, wait_until: WaitUntil) -> None:
    cells = [
        LOAD,
        """
        offset = 1

        @python_app
        def shifted(x):
            return x + offset

        @bash_app
        def shout(text, stdout="shouted"):
            return f"echo {text} | tr a-z A-Z"

        print(shifted(double(20)).result(), shout("hello").result(), open("shouted").read().strip())
        """,
        """
        offset = 100

        @python_app
        def double(x):  # another than before
            return x * 2.5

        print(shifted(double(20)).result())
        """,
        "%time print(double(2).result())",
        "double('a').result()",
    ]
    made = new_notebook(cells=[new_code_cell(textwrap.dedent(cell)) for cell in cells])
    client = NotebookClient(made, timeout=PATIENCE_S, resources={"metadata": {"path": str(directory)}})
    with pytest.raises(CellExecutionError, match="can't multiply sequence"):
        client.execute(env={**os.environ, "PYTHONPATH": str(SOURCES)})
    printed = ["".join(out.get("text", "") for out in cell.outputs).split() for cell in made.cells]
    assert printed[1:3] == [["41", "0", "HELLO"], ["150.0"]]
    assert printed[3][0] == "5.0"
    [error] = made.cells[-1].outputs
    shown = re.sub(r"\x1b\[[0-9;]*m", "", "".join(error.traceback))
    assert "return x * 2.5" in shown, "the line of the cell is shown"
    wait_until(lambda: not left_in(directory), PATIENCE_S, f"the end of {left_in(directory)}")


def test_a_cell_can_be_interrupted_and_the_run_continues(notebook: Notebook, wait_until: WaitUntil) -> None:
    assert notebook.run(LOAD + "print(double(4).result())") == "8\n"
    cell = notebook.begin(WAIT_FOR_LONG)
    wait_until((notebook.directory / "begun").exists)
    notebook.interrupt()
    assert notebook.result_of(cell) == "KeyboardInterrupt"
    assert notebook.run("print(double(5).result())") == "10\n"
    assert notebook.run("parsl.dfk().cleanup(); parsl.clear()") == ""
    cell = "with parsl.load(make_config(run_dir='r2')):\n    print(double(6).result())"
    assert notebook.run(cell) == "12\n"


@pytest.mark.parametrize("now", [False, True], ids=["asked", "killed"])
def test_a_restarted_kernel_leaves_nothing_of_its_run_behind(
    notebook: Notebook, wait_until: WaitUntil, now: bool
) -> None:
    notebook.run(LOAD)
    notebook.begin(WAIT_FOR_LONG)
    wait_until((notebook.directory / "begun").exists)
    if not now:
        notebook.interrupt()  # a busy kernel does not handle a shutdown request
    before = processes_in(notebook.directory)
    assert len(before) >= 5
    notebook.restart(now=now)
    wait_until(
        lambda: not any(process.is_running() for process in before), PATIENCE_S, f"the end of {before}"
    )
    assert not any(map(os.path.exists, configured_paths(notebook.directory, "spool")))
    assert notebook.run(LOAD + "print(double(4).result())") == "8\n"
