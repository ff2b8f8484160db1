from __future__ import annotations

from pathlib import Path

import pytest

from parsl.executors.high_throughput.mpi_resource_management import (
    Scheduler,
    get_nodes_in_batchjob,
    get_pbs_hosts_list,
    get_slurm_hosts_list,
    identify_scheduler,
)


@pytest.fixture(autouse=True)
def no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PBS_NODEFILE", "SLURM_JOB_NODELIST", "SLURM_NODELIST"):
        monkeypatch.delenv(name, raising=False)


def test_nodes_of_pbs_are_those_of_its_file_once_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nodes").write_text("x1\nx1\nx2.cm\n")
    monkeypatch.setenv("PBS_NODEFILE", str(tmp_path / "nodes"))
    assert identify_scheduler() is Scheduler.PBS
    assert get_nodes_in_batchjob(Scheduler.PBS) == get_pbs_hosts_list() == ["x1", "x2.cm"]


def test_nodes_of_slurm_are_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_NODELIST", "n[08-10],login")
    assert identify_scheduler() is Scheduler.Slurm
    assert get_nodes_in_batchjob(Scheduler.Slurm) == get_slurm_hosts_list() == ["n08", "n09", "n10", "login"]


def test_outside_of_a_job_the_error_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert identify_scheduler() is Scheduler.Unknown
    with pytest.raises(ValueError, match=r"no PBS_NODEFILE\. Call it inside a batch job"):
        get_nodes_in_batchjob(Scheduler.PBS)
    monkeypatch.setenv("SLURM_NODELIST", "n1")
    with pytest.raises(ValueError, match=r"identify_scheduler\(\) returns Scheduler.Slurm"):
        get_nodes_in_batchjob(Scheduler.PBS)
    with pytest.raises(ValueError, match="unknown scheduler"):
        get_nodes_in_batchjob(Scheduler.Unknown)
