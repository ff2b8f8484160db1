"""``parsl.progress()``: in a terminal, in a notebook, and in a log."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

import parsl
from parsl.dataflow.progress import progress
from parsl.dataflow.progress_displays import Counts, Lines, NotebookBar
from parsl.errors import ConfigurationError, NoDataFlowKernelError
from tests.dataflow.fakes import HoldingExecutor, add, call, fail, kernel

_SCRIPT = """
import sys, parsl
@parsl.python_app
def double(x):
    if x == 3:
        raise ValueError(x)
    return 2 * x

with parsl.load(), parsl.progress("doubling", **eval(sys.argv[1])):
    for future in [double(x) for x in range(8)]:
        future.exception()
    print("a result")
"""


def run_script(tmp_path, options: str = "{}", stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, options],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True,
    )  # fmt: skip


def test_a_terminal_has_a_bar_and_stdout_stays_apart(tmp_path):
    ours, theirs = pty.openpty()
    process = run_script(tmp_path, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # the other side is closed
            break
    assert process.communicate()[0] == "a result\n"
    os.close(ours)
    text = shown.decode()
    assert "doubling" in text
    assert "7 of 8 done, 1 failed" in text
    assert "a result" not in text


def test_a_log_stays_clean(tmp_path):
    assert run_script(tmp_path).communicate() == ("a result\n", "")


def test_a_log_may_have_lines(tmp_path):
    _, lines = run_script(tmp_path, "{'log_percent': 50}").communicate()
    assert lines.splitlines()[-1].startswith("doubling: 100 %, 7 of 8 done, 1 failed, ")


def test_lines_are_written_each_time_that_enough_tasks_have_ended(capsys):
    lines = Lines("run", 10)
    for ended, total in [
        (0, 0),
        (5, 100),
        (10, 100),
        (11, 100),
        (39, 100),
        (39, 200),
        (200, 200),
        (200, 200),
    ]:
        lines.show(Counts(ended, 0, total, 10.0))
    shown = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in shown] == ["run: 10 %", "run: 39 %", "run: 100 %"]


def test_a_notebook_has_a_bar_without_widgets(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    from nbclient import NotebookClient

    monkeypatch.chdir(tmp_path)
    cells = [
        "import parsl; parsl.load()",
        "@parsl.python_app\ndef double(x):\n    return 2 * x",
        "with parsl.progress('cells & co'):\n    print(sum(double(x).result() for x in range(5)))",
        "bar = parsl.progress().start(); double(1).result(); bar.stop(); parsl.dfk().cleanup()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    shown = [
        [output["data"]["text/html"] for output in cell["outputs"] if "text/html" in output.get("data", {})]
        for cell in notebook.cells
    ]
    assert "cells &amp; co" in shown[2][0]
    assert 'value="5" max="5"' in shown[2][0]
    assert "1 of 1 done" in shown[3][0], "earlier tasks do not count"


def test_the_counts_are_those_since_the_start(tmp_path):
    executor = HoldingExecutor()
    with kernel(tmp_path, executor) as dfk:
        call(dfk, add, 1, 2)
        call(dfk, fail)
        executor.run_all()
        bar = progress(dfk=dfk).start()
        for _ in range(3):
            call(dfk, add, 1, 2)
        call(dfk, fail)
        assert bar.counts(dfk)[:3] == (0, 0, 4)
        executor.run_all()
        assert bar.counts(dfk)[:3] == (3, 1, 4)
        bar.stop()
        assert progress(dfk=dfk, total=10).counts(dfk)[:3] == (4, 2, 10)


def test_nothing_is_started_where_nothing_is_shown(tmp_path):
    with kernel(tmp_path, HoldingExecutor()) as dfk, progress(dfk=dfk) as bar:
        assert repr(bar) == "<progress 'tasks'>"


def test_without_a_run_there_is_no_progress():
    with pytest.raises(NoDataFlowKernelError, match="Must first load config"):
        parsl.progress().start()


@pytest.mark.parametrize(
    "options",
    [{"total": -1}, {"total": "all"}, {"log_percent": 0}, {"log_percent": 101}, {"description": 100}],
)
def test_wrong_parameters_are_refused(options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        progress(**options)


def test_an_empty_run_has_zero_per_cent():
    counts = Counts(0, 0, 0, 0.0)
    assert (counts.percent, counts.text) == (0.0, "0 of 0 done")
    assert 'value="0" max="1"' in NotebookBar("x").html(counts)
