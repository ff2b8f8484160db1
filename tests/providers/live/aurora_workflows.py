"""The unchanged workflows of Aurora's user guide, with configurations translated to other schedulers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.providers.live.scenario import gap_s

_EXAMPLES = Path(__file__).parents[3] / "examples" / "aurora"
_GUIDE = Path(__file__).parents[1] / "aurora_guide"
_PROGRAM = "Examples/Aurora/affinity_gpu/sycl/hello_affinity"

_TILES_CONFIG = """
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.launchers import *
from parsl.providers import *

aurora_single_tile_config = Config(
    executors=[
        HighThroughputExecutor(
            available_accelerators=[f"{gid}.{tid}" for gid in range(6) for tid in range(2)],
            max_workers_per_node=12,
            cores_per_worker=0.01,
            prefetch_capacity=0,
            provider=PROVIDER,
        ),
    ],
    retries=1,
)
"""

_MPI_CONFIG = """
from parsl.config import Config
from parsl.executors import MPIExecutor
from parsl.launchers import *
from parsl.providers import *

mpi_ensemble_config = Config(
    executors=[MPIExecutor(max_workers_per_block=2, mpi_launcher="srun", provider=PROVIDER)],
    retries=1,
)
"""


def run_tiles(provider: str) -> dict[str, Any]:
    """Run the ensemble of single tiles in its own home directory, which contains the program.

    Args:
        provider: The expression that creates the provider; ``{home}`` and ``{here}`` are the directories.
    """
    home = Path("home").absolute()
    program = home / "GettingStarted" / _PROGRAM
    program.parent.mkdir(parents=True)
    program.symlink_to(_EXAMPLES / "hello_affinity")
    Path("my_parsl_workflow.py").write_text((_EXAMPLES / "my_parsl_workflow.py").read_text())
    made = provider.format(home=home, here=os.getcwd())
    Path("config.py").write_text(_TILES_CONFIG.replace("PROVIDER", made))
    facts = _run_script("my_parsl_workflow.py", {**os.environ, "HOME": str(home)})
    return {**facts, "outputs": [path.read_text() for path in sorted(Path("output").glob("*.stdout"))]}


def run_mpi(provider: str, place: str) -> dict[str, Any]:
    """Run the MPI ensemble; srun lacks the options of Aurora's mpiexec.

    Args:
        provider: As for `run_tiles`.
        place: Shell text that prints a rank's place.
    """
    home = Path("home").absolute()
    _write_program(home / "HelperScripts/Aurora/set_affinity_gpu_aurora.sh", 'exec "$@"')
    _write_program(home / _PROGRAM, f'echo "{place}"')
    script = (_GUIDE / "my_mpi_workflow.py").read_text().replace("$HOME/GettingStarted", str(home))
    Path("my_mpi_workflow.py").write_text(script.replace("--cpu-bind depth --depth={depth} ", ""))
    made = provider.format(home=home, here=os.getcwd())
    Path("mpi_config.py").write_text(_MPI_CONFIG.replace("PROVIDER", made))
    facts = _run_script("my_mpi_workflow.py", dict(os.environ))
    printed = [Path(f"mpi_output/{number}/hello.stdout").read_text().splitlines() for number in range(10)]
    return {**facts, "outputs": printed}


def check_tiles(facts: Any, hosts: set[str]) -> None:
    """Check that `run_tiles` returned all 24 results, from workers with one tile each on the given hosts."""
    assert facts["code"] == 0, facts["printed"]
    assert "Tasks done!" in facts["printed"]
    assert "hello_world_results[0]='Hello Aurora 0'" in facts["printed"]
    assert len(facts["outputs"]) == 12
    words = [line.split() for line in facts["outputs"]]
    assert len({host for _, host, *_ in words}) == 1
    assert {host for _, host, *_ in words} <= hosts
    tiles = {line[3]: line[7] for line in words}
    assert all(tile == f"{int(rank) // 2}.{int(rank) % 2}" for rank, tile in tiles.items())


def _write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


def _run_script(name: str, environment: dict[str, str]) -> dict[str, Any]:
    begin_s = time.time()
    command = [sys.executable, name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=80)
    return {"code": done.returncode, "printed": done.stdout + done.stderr, "s": gap_s(begin_s)}
