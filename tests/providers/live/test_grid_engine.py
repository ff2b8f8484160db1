"""Ensembles through a real Grid Engine: two hosts of a private cell, an ordinary user."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.providers.live.aurora_workflows import check_tiles
from tests.support.grid_engine_cell import run_in_grid_engine, why_not

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "it is there")]


def facts_of(scenario: str, directory: Path) -> Any:
    """Run a scenario of `grid_engine_scenarios`; return the facts that it printed."""
    command = [sys.executable, "-m", "tests.providers.live.grid_engine_scenarios", scenario]
    done = run_in_grid_engine(command, directory)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_an_ensemble_runs_in_two_jobs_and_leaves_none_behind(tmp_path: Path) -> None:
    facts = facts_of("ensemble", tmp_path)
    assert sorted(job for _, job in facts["places"]) == facts["jobs"] == ["1", "2"]
    assert {host for host, _ in facts["places"]} <= {"g1", "g2"}
    assert facts["here"] == ["runs", "started-1", "started-2"]
    assert facts["exit_s"] < 20
    assert facts["gone_s"] < 30


def test_an_unknown_queue_is_an_immediate_error_that_quotes_qsub(tmp_path: Path) -> None:
    facts = facts_of("refused", tmp_path)
    assert 'unknown queue "nonsuch.q"' in facts["error"]
    assert "qsub -terse" in facts["error"]
    assert facts["tried"] == 1


def test_blocks_scale_out_with_the_tasks_and_in_without_them(tmp_path: Path) -> None:
    facts = facts_of("scaling", tmp_path)
    assert facts["most"] == facts["used"] == 3


@pytest.mark.parametrize(("scenario", "state"), [("deleted", "FAILED"), ("walltime", "TIMEOUT")])
def test_a_task_of_an_ended_job_runs_in_the_next_job(tmp_path: Path, scenario: str, state: str) -> None:
    facts = facts_of(scenario, tmp_path)
    assert (facts["first"], facts["second"], facts["state"]) == ("1", "2", state)
    assert facts["most"] == 1
    assert facts["result_after_next_start_s"] < 30


def test_draining_blocks_are_replaced_and_lose_no_task(tmp_path: Path) -> None:
    facts = facts_of("drain", tmp_path)
    assert len(facts["states"]) == 3
    assert facts["most"] == 1


def test_multi_node_tasks_share_a_job_of_a_parallel_environment(tmp_path: Path) -> None:
    facts = facts_of("mpi", tmp_path)
    assert facts["codes"] == [0] * 4
    assert facts["hosts"][0] == facts["hosts"][3] == ["g1", "g2"]
    assert {host for hosts in facts["hosts"][1:3] for host in hosts} <= {"g1", "g2"}
    assert [len(hosts) for hosts in facts["hosts"]] == [2, 1, 1, 2]


def test_a_held_job_causes_a_warning(tmp_path: Path) -> None:
    facts = facts_of("held", tmp_path)
    assert facts["warnings"] == [
        "Executor htex: job 1 will not start while the reason remains. The scheduler reports: held"
    ]
    assert facts["job"] == "1"


def test_a_job_that_can_never_run_causes_a_warning_that_quotes_grid_engine(tmp_path: Path) -> None:
    facts = facts_of("never_runs", tmp_path)
    assert len(facts["warnings"]) == 1
    assert facts["warnings"][0].startswith("Executor htex: job 1 can never run.")
    assert "no suitable queues: (-l h_rt=600,mem_total=1000T) cannot run at host" in facts["warnings"][0]
    assert not facts["is_failed"], "an administrator may change that"
    assert facts["left"] == []


def test_a_failing_worker_init_is_reported_with_its_output(tmp_path: Path) -> None:
    facts = facts_of("bad_worker_init", tmp_path)
    assert "conda: no environment nonsuch" in facts["error"]
    assert "EXIT CODE: 3" in facts["error"]
    assert (facts["jobs"], facts["most"]) == (1, 1)


def test_the_workflow_of_auroras_guide_runs_with_a_grid_engine_provider(tmp_path: Path) -> None:
    check_tiles(facts_of("aurora", tmp_path), {"g1", "g2"})
