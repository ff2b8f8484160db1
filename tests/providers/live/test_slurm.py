"""Ensembles through a real Slurm: four hosts of a private cluster."""

from __future__ import annotations

import json
import sys
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import pytest

from tests.providers.live.aurora_workflows import check_tiles
from tests.support.private_machine import USER
from tests.support.slurm_cluster import run_in_slurm, why_not

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "it is there")]


def facts_of(scenario: str, directory: Path, user: str = "root") -> Any:
    """Run a scenario of `slurm_scenarios`; return the facts that it printed."""
    command = [sys.executable, "-m", "tests.providers.live.slurm_scenarios", scenario]
    done = run_in_slurm(command, directory, user)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("user", ["root", USER])
def test_an_ensemble_runs_on_two_nodes_and_leaves_nothing_behind(tmp_path: Path, user: str) -> None:
    facts = facts_of("ensemble", tmp_path, user)
    assert facts["places"] == [["n1", "0"], ["n2", "1"]]
    assert facts["left"] == []
    assert [name for name in facts["script_files"] if not name.endswith(".log")] == ["runs", "started-1"]
    assert facts["load_s"] < 20
    assert facts["exit_s"] < 20


def test_directories_may_have_any_name(tmp_path: Path) -> None:
    facts = facts_of("spaces", tmp_path)
    assert facts["places"] == [["n1", "0"], ["n2", "1"]]
    assert facts["here"] == ["my runs $HOME %j", "started-1"]


def test_an_unknown_partition_is_an_immediate_error_that_quotes_sbatch(tmp_path: Path) -> None:
    facts = facts_of("refused", tmp_path)
    assert "invalid partition specified: nonsuch" in facts["error"]
    assert "The submit command ended with exit code 1: sbatch" in facts["error"]
    assert facts["tried"] == 1


def test_blocks_scale_out_with_the_tasks_and_in_without_them(tmp_path: Path) -> None:
    facts = facts_of("scaling", tmp_path)
    assert facts["most"] == 3
    assert facts["left"] == []


@pytest.mark.parametrize(
    ("scenario", "counted"), [("walltime", {0}), ("deleted", {0, 1}), ("node_failed", {0, 1})]
)
def test_a_task_of_an_ended_job_runs_in_the_next_job(
    tmp_path: Path, scenario: str, counted: set[int]
) -> None:
    """A job that reaches its walltime costs no retry: the run allows none.

    The walltime takes half a minute: Slurm's controller compares the time limits of jobs with the clock every
    30 s, a constant of its source code.
    """
    facts = facts_of(scenario, tmp_path)
    assert (facts["first"], facts["second"]) == ("1", "2")
    assert facts["failures"] in counted
    assert facts["most"] == 1
    assert facts["result_after_next_start_s"] < 30
    assert facts["left"] == []


def test_a_suspended_job_continues_when_it_is_resumed(tmp_path: Path) -> None:
    facts = facts_of("suspended", tmp_path)
    assert facts["state"] == "SUSPENDED"
    assert facts["result"] == facts["job"]
    assert (facts["failures"], facts["managers"]) == (0, 1)


def test_running_and_queued_jobs_are_cancelled_at_the_end(tmp_path: Path) -> None:
    facts = facts_of("busy_end", tmp_path)
    assert facts["before"] == ["PENDING", "RUNNING"]
    assert facts["began"] == ["started-1"]
    assert facts["left"] == []
    assert facts["processes"] == 0
    assert facts["exit_s"] < 20


def test_draining_blocks_are_replaced_and_lose_no_task(tmp_path: Path) -> None:
    facts = facts_of("drain", tmp_path)
    assert facts["states"] == ["COMPLETED", "COMPLETED", "RUNNING"]
    assert facts["most"] == 1


def test_an_unresponsive_controller_neither_ends_nor_adds_jobs(tmp_path: Path) -> None:
    facts = facts_of("frozen", tmp_path)
    assert facts["during"][0] == facts["after"] == "RUNNING"
    assert facts["most"] <= 2
    assert facts["left"] == []


def test_a_failing_worker_init_is_reported_with_its_output(tmp_path: Path) -> None:
    facts = facts_of("bad_worker_init", tmp_path)
    assert "conda: no environment nonsuch" in facts["error"]
    assert "EXIT CODE: 3" in facts["error"]
    assert (facts["jobs"], facts["most"]) == (1, 1)


def test_a_held_job_causes_a_warning_that_quotes_slurm(tmp_path: Path) -> None:
    facts = facts_of("held", tmp_path)
    assert len(facts["warnings"]) == 1
    assert facts["warnings"][0].startswith("Executor htex: job 1 will not start while the reason remains.")
    assert "JobHeldUser" in facts["warnings"][0]
    assert facts["place"] == ["n1", "0"]


def test_the_workflow_of_auroras_guide_runs_with_a_slurm_provider(tmp_path: Path) -> None:
    check_tiles(facts_of("aurora", tmp_path), {"n1"})


def test_the_ready_made_configurations_suit_a_slurm_cluster(tmp_path: Path) -> None:
    facts = facts_of("ready", tmp_path)
    assert facts["hosts"] == ["n1", "n2"]
    assert len(facts["ranks"]) == 4
    assert len(set(facts["ranks"])) == 2
    assert facts["left"] == []


def test_an_ensemble_of_programs_runs_through_srun(tmp_path: Path) -> None:
    facts = facts_of("mpi", tmp_path)
    assert facts["codes"] == [0] * 6
    for printed in facts["printed"]:
        assert sorted(int(rank) for _, rank in printed) == list(range(6))
        assert len({node for node, _ in printed}) == 2
    assert facts["left"] == []


def test_auroras_mpi_ensemble_runs_on_the_right_nodes(tmp_path: Path) -> None:
    facts = facts_of("aurora_mpi", tmp_path)
    assert facts["code"] == 0, facts["printed"]
    assert "Tasks done!" in facts["printed"]
    for output in facts["outputs"]:
        ranks = [line.split() for line in output]
        assert sorted(int(rank) for _, rank, _, _ in ranks) == list(range(24))
        assert {node for _, _, _, node in ranks} == set(ranks[0][0].split(","))


@pytest.mark.skipif(find_library("mpich") is None, reason="MPICH is not installed (Debian: mpich)")
def test_mpich_ranks_find_each_other_and_nodes_are_released(tmp_path: Path) -> None:
    facts = facts_of("mpich", tmp_path)
    on_four, on_one, again = facts["printed"]
    assert [line.split()[0] for line in on_four] == [f"{rank}/8" for rank in range(8)]
    assert {line.split()[2] for line in on_four} == {"n1,", "n2,", "n3,", "n4,"}
    assert [line.split()[0] for line in on_one] == ["0/3", "1/3", "2/3"]
    assert again == ["n1", "n2", "n3", "n4"]
    assert facts["sleeping"] == 0
    assert facts["left"] == []
