"""The Aurora example, the pipeline of variable stars and the tutorial on Ray: only the executor changes."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, make_program, read_blocks

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray")]

EXAMPLES = Path(__file__).parents[3] / "examples"
RAY_CONFIG = """
from parsl import Config
from parsl.executors import RayExecutor

aurora_single_tile_config = Config(executors=[RayExecutor(num_cpus=2)])
"""


def run(directory: Path, script: str, *arguments: str) -> str:
    """Run a script in a directory, and return what it prints."""
    environment = {**os.environ, "HOME": str(directory), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, script, *arguments],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_workflow_of_aurora(tmp_path: Path) -> None:
    (tmp_path / "config.py").write_text(RAY_CONFIG)
    (tmp_path / "workflow.py").write_bytes((EXAMPLES / "aurora" / "my_parsl_workflow.py").read_bytes())
    program = tmp_path / "GettingStarted/Examples/Aurora/affinity_gpu/sycl/hello_affinity"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho on a tile\n")
    program.chmod(0o755)
    printed = run(tmp_path, "workflow.py")
    assert printed.count("['on a tile\\n']") == 12
    assert printed.endswith("Tasks done!\n")


def test_the_pipeline_of_variable_stars(tmp_path: Path) -> None:
    source = (EXAMPLES / "variable_stars" / "pipeline.py").read_text()
    changed = source.replace('HighThroughputExecutor(label="cores")', "RayExecutor(num_cpus=2)")
    assert changed != source
    for module in (EXAMPLES / "variable_stars").glob("*.py"):
        (tmp_path / module.name).write_bytes(module.read_bytes())
    (tmp_path / "pipeline.py").write_text(
        changed.replace("HighThroughputExecutor,", "").replace("import argparse", _IMPORTS)
    )
    with (
        gzip.open(EXAMPLES / "variable_stars" / "survey.csv.gz", "rt") as whole,
        gzip.open(tmp_path / "few.csv.gz", "wt") as part,
    ):
        part.writelines(line for line in whole if line.startswith(("V000", "V003")))
    printed = run(tmp_path, "pipeline.py", "--survey", "few.csv.gz", "--output", "stars")
    assert "7 tasks, 0 of them done in an earlier run" in printed
    assert (tmp_path / "stars" / "stars.png").stat().st_size > 1000


_IMPORTS = "import argparse\nfrom parsl.executors import RayExecutor"


def test_the_tutorial(tmp_path: Path) -> None:
    blocks = read_blocks((DOCS / "tutorial.md").read_text())
    for block in blocks:
        if block.file_name is not None:
            (tmp_path / block.file_name).write_text(block.text)
    program = make_program(blocks)
    here = "config = this_machine(workers=4, retries=1)"
    there = "config = parsl.Config(executors=[parsl.executors.RayExecutor(num_cpus=4)], retries=1)"
    assert here in program
    (tmp_path / "tutorial.py").write_text(program.replace(here, there))
    run(tmp_path, "tutorial.py")
