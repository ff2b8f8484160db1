"""MPIExecutor with PBSProProvider on the stand-in for PBS: the unchanged ensemble of Aurora's guide."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import parsl
from parsl.testing.schedulers import PBSCluster, Policy
from parsl.testing.schedulers.cluster import marked_processes
from parsl.testing.schedulers.records import FINISHED

SOURCES = Path(parsl.__file__).parents[1]
GUIDE = Path(__file__).parent / "aurora_guide"
DEADLINE_S = 100

SET_AFFINITY = """\
#!/bin/bash
export ZE_AFFINITY_MASK=$((PALS_LOCAL_RANKID / 2)).$((PALS_LOCAL_RANKID % 2))
exec "$@"
"""
HELLO = '#!/bin/bash\necho "$PARSL_MPI_NODELIST $PALS_RANKID $PALS_NODEID $ZE_AFFINITY_MASK"\n'


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PBSCluster]:
    home = tmp_path / "home"
    python = Path(sys.executable).parent
    write_script(home / "_env/bin/activate", f"export PATH='{python}':$PATH PYTHONPATH='{SOURCES}'\n")
    folder = home / "GettingStarted"
    write_script(folder / "HelperScripts/Aurora/set_affinity_gpu_aurora.sh", SET_AFFINITY)
    write_script(folder / "Examples/Aurora/affinity_gpu/sycl/hello_affinity", HELLO)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SHELL", "/bin/bash")
    cluster = PBSCluster(tmp_path / "c", 10, policy=Policy(kill_delay_s=2))
    yield cluster
    cluster.close()
    assert marked_processes(cluster.directory) == []


def write_script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text)
    path.chmod(0o755)


def test_the_mpi_scripts_of_auroras_guide_run_unchanged(cluster: PBSCluster, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    for name in ("mpi_config.py", "my_mpi_workflow.py"):
        (work / name).write_bytes((GUIDE / name).read_bytes())
    done = subprocess.run(
        [sys.executable, "my_mpi_workflow.py"],
        cwd=work, env=cluster.environment({**os.environ, "PYTHONPATH": str(SOURCES)}),
        capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Tasks done!\n")
    [job] = cluster.jobs()
    assert (job.queue, job.node_count) == ("lustre_scaling", 10)
    assert cluster.wait_for(job.number).state == FINISHED
    pairs = Counter(check_output(work / "mpi_output" / str(number) / "hello.stdout") for number in range(10))
    assert len({node for pair in pairs for node in pair.split(",")}) == 2 * len(pairs)


def check_output(path: Path) -> str:
    """Check for one line from each tile's rank, 12 on each of two nodes; return the nodes."""
    lines = [line.split() for line in path.read_text().splitlines()]
    tiles = [f"{gpu}.{tile}" for gpu in range(6) for tile in range(2)]
    expected = [[str(rank), str(rank // 12), tiles[rank % 12]] for rank in range(24)]
    assert sorted((line[1:] for line in lines), key=lambda line: int(line[0])) == expected
    [nodes] = {line[0] for line in lines}
    return nodes
