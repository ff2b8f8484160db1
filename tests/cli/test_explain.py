"""``parsl explain``: the failures of a run, read from its failure log."""

from __future__ import annotations

import json
import os

import pytest

from parsl.app.errors import BashExitFailure
from parsl.cli.main import main
from parsl.executors.high_throughput.errors import ManagerLost
from parsl.failure_facts import attach
from tests.dataflow.fakes import HoldingExecutor, PromptExecutor, add, call, call_join, fail, kernel
from tests.dataflow.test_job_ends import Unlucky


@pytest.fixture
def explain(tmp_path, capsys, monkeypatch):
    """Run the command in the directory of the runs; return its exit code and its output."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = main(["explain", *words, "--run-dir", "runs"])
        printed = capsys.readouterr()
        assert not (printed.out and printed.err)
        return code, printed.out or printed.err

    return run


def node_lost():
    error = ManagerLost("m1", "node7", "node7 is gone", is_job_end=True)
    attach(error, host="node7", block="3", manager="m1", worker=5, ran_s=12.3, peak_memory=245_000_000)
    return error


@pytest.fixture
def mixed_run(tmp_path):
    """A run in which tasks have failed in all ways."""
    executor = HoldingExecutor()
    executor.worker_logdir = "/logs"
    with kernel(tmp_path, executor, retries=1, initialize_logging=True) as dfk:
        failed = call(dfk, fail)
        call(dfk, add, failed)
        call(dfk, add, 1, 2, label="sum").cancel()
        call(dfk, Unlucky(node_lost()))
        executor.run_all()
        call(dfk, add, 1, 2)
    return dfk.run_dir


def test_a_run_is_listed_by_the_outcomes_of_its_tasks(explain, mixed_run):
    code, printed = explain("last")
    assert code == 0
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    assert lines[1:3] == ["Failed:", "task 0 (fail): 2 attempts, the last: ValueError: failed"]
    assert lines[3].startswith("Never run")
    assert lines[4].startswith("task 1 (add): DependencyError: ")
    assert "via task 0" in lines[4]
    assert lines[5:7] == ["Cancelled:", "task 2 (add): cancelled"]
    assert lines[7].startswith("An attempt failed; these tasks have succeeded since")
    assert lines[8] == "task 3 (unlucky): 1 attempt on node7: ManagerLost: node7 is gone"
    assert lines[9].startswith("1 task had not ended")


@pytest.mark.parametrize("name", ["0", "000", "last", "runs/000"])
def test_a_tasks_history_lists_each_attempt(explain, mixed_run, name):
    code, printed = explain(name, "0")
    assert code == 0
    assert "Task 0 (fail) of run" in printed
    assert printed.index("attempt 1 on executor holding") < printed.index("attempt 2 on executor holding")
    assert "-> tried again (the failures have cost 1; retries=1)" in printed
    assert "-> failed (the failures have cost 2; retries=1)" in printed
    assert "ValueError: failed" in printed
    assert 'raise ValueError("failed")' in printed


def test_a_tasks_history_names_host_duration_and_logs(explain, mixed_run):
    _, printed = explain("last", "3")
    assert "host node7, block 3, worker 5, manager m1" in printed
    assert "ran 12.3 s, peak memory 245 MB" in printed
    assert "the end of a job costs no retry" in printed
    assert "/logs/block-3/m1/manager.log  (manager's log)" in printed


def test_a_task_that_never_ran_has_the_reason(explain, mixed_run):
    printed = explain("last", "1")[1]
    assert "dependency failed" in printed
    assert "runs/000 0` shows the task that failed first" in printed
    assert "had not ended" not in printed, "this is about one task"
    assert "labelled 'sum'" in explain("last", "2")[1]


def test_a_join_app_names_the_failed_task(explain, tmp_path):
    def joins(dfk):
        return call(dfk, fail)

    with kernel(tmp_path, PromptExecutor(), retries=1, initialize_logging=True) as dfk:
        call_join(dfk, joins, dfk).exception(60)
    _, printed = explain("last", "0")
    assert "attempt 1 in the driver" in printed
    assert "-> failed; the failure of another task is not retried here" in printed
    assert "000 1` shows the task that failed first" in printed


def test_the_list_shows_the_first_words_of_a_commands_stderr(explain, tmp_path):
    def command():
        error = BashExitFailure("command", 7)
        error.stderr_tail = "no such input"
        raise error

    with kernel(tmp_path, PromptExecutor(), initialize_logging=True) as dfk:
        call(dfk, command).exception(60)
    assert "The end of its stderr: no such input" in explain("last")[1]


def test_the_report_is_available_as_json(explain, mixed_run):
    code, printed = explain("last", "0", "--json")
    assert code == 0
    assert [line["attempt"] for line in json.loads(printed)] == [1, 2]
    assert len(json.loads(explain("last", "--json")[1])) == 6


def test_a_truncated_line_loses_only_itself(explain, mixed_run):
    with open(os.path.join(mixed_run, "failures.jsonl"), "a") as file:
        file.write('{"task_id": 9, "outco\n17\n')
    code, printed = explain("last")
    assert code == 0
    assert "2 lines of the log cannot be read" in printed
    assert "2 lines of the log cannot be read" in explain("last", "0")[1]


def test_an_unknown_task_is_an_error_that_names_those_with_failures(explain, mixed_run):
    code, printed = explain("last", "4")
    assert code == 2
    assert "no failure of task 4" in printed
    assert "0, 1, 2, 3" in printed
    assert "1 task had not ended" in printed


def test_the_newest_run_is_the_default(mixed_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["explain", "--run-dir", "runs"]) == 0
    assert "task 0 (fail): 2 attempts" in capsys.readouterr().out


def test_a_task_without_failures_has_its_state_from_the_event_log(explain, mixed_run):
    assert "The event log: task 4 (add) is in state " in explain("last", "4")[1]


def test_a_run_without_failures_is_reported(explain, tmp_path):
    with kernel(tmp_path, PromptExecutor(), initialize_logging=True) as dfk:
        call(dfk, add, 1, 2).result()
    code, printed = explain("last")
    assert code == 0
    assert "no attempt of a task has failed" in printed
    assert explain("last", "--json") == (0, "[]\n")
    code, printed = explain("last", "0")
    assert code == 2
    assert "task 0 (add) is in state exec_done" in printed


def test_a_run_without_logs_is_reported(explain, tmp_path):
    with kernel(tmp_path, PromptExecutor(), initialize_logging=False) as dfk:
        call(dfk, fail).exception()
    code, printed = explain("last")
    assert code == 2
    assert "initialize_logging=False" in printed


def test_an_unknown_run_is_an_error_that_lists_the_runs(explain, mixed_run, tmp_path):
    code, printed = explain("7")
    assert code == 2
    assert "The runs in" in printed
    assert "000" in printed
    assert "runs/000" in explain("runs/000/events.parsl")[1]
    code, printed = explain("runs/000/parsl.log")
    assert code == 2
    assert "'runs/000/parsl.log' is a file: name the directory of a run" in printed
    assert "runs/000" in explain("runs")[1]


def test_without_any_runs_the_error_names_the_directory(explain, tmp_path):
    code, printed = explain("last")
    assert code == 2
    assert f"{tmp_path}/runs is not a directory" in printed
    os.mkdir("runs")
    assert "has no runs" in explain("last")[1]


def test_a_task_is_a_number(explain, mixed_run, capsys):
    with pytest.raises(SystemExit):
        main(["explain", "last", "solve"])
    assert "'solve' is not the number of a task" in capsys.readouterr().err
