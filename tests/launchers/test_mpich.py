"""The MPI launchers with a real MPICH."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from parsl.launchers import MpiExecLauncher, MpiRunLauncher


def is_mpich() -> bool:
    if shutil.which("mpiexec") is None:
        return False
    version = subprocess.run(["mpiexec", "--version"], capture_output=True, text=True, check=False)
    return "HYDRA" in version.stdout


pytestmark = [
    pytest.mark.mpi,
    pytest.mark.skipif(not is_mpich(), reason="needs MPICH's mpiexec (Debian package: mpich)"),
]

LAUNCHERS = [MpiExecLauncher(), MpiRunLauncher()]


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_starts_every_rank(launcher, block):
    code, stdout, stderr = block.run(launcher, 'echo "rank $PMI_RANK of $PMI_SIZE"', 2, 2)
    assert (code, stderr) == (0, "")
    ranks = sorted(line for line in stdout.splitlines() if line.startswith("rank"))
    assert ranks == [f"rank {rank} of 4" for rank in range(4)]


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_exit_code(launcher, block):
    code, _, _ = block.run(launcher, "exit 7")
    assert code == 7


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_sigterm_ends_all_ranks(launcher, assert_dies_of_sigterm):
    assert_dies_of_sigterm(launcher, 2)


def test_nodes_of_a_pbs_job(block, tmp_path):
    (tmp_path / "nodes").write_text("localhost\nlocalhost\n")
    block.environment["PBS_NODEFILE"] = str(tmp_path / "nodes")
    code, stdout, stderr = block.run(MpiExecLauncher(debug=False), "echo here", 2)
    assert (code, stdout, stderr) == (0, "here\nhere\n", "")
