"""The Aurora example, the variable stars and the tutorial on each engine: only the executor changes."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docs.pages import DOCS, make_program, read_blocks
from tests.support.cctools import needs_work_queue, use_task_vine
from tests.support.scripts import run_script

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[3] / "examples"
#: The workers of every engine.
WORKERS = 4


class Engine(NamedTuple):
    """How a script uses an engine."""

    module: str
    imports: str
    executor: str


ENGINES = {
    "dask": Engine("dask", "DaskExecutor", f"DaskExecutor(max_workers_per_node={WORKERS})"),
    "ray": Engine("ray", "RayExecutor", f"RayExecutor(num_cpus={WORKERS})"),
    "work queue": Engine(
        "",
        "WorkQueueExecutor",
        "WorkQueueExecutor(address='127.0.0.1', shared_fs=False, worker_options='--cores=1', provider="
        f"parsl.providers.LocalProvider(init_blocks={WORKERS}, max_blocks={WORKERS}))",
    ),
    "taskvine": Engine(
        "",
        "taskvine",
        "taskvine.TaskVineExecutor(function_exec_mode='regular', "
        "manager_config=taskvine.TaskVineManagerConfig(address='127.0.0.1', shared_fs=False), "
        f"factory_config=taskvine.TaskVineFactoryConfig(worker_options='--cores=1', min_workers={WORKERS}, "
        f"max_workers={WORKERS}, workers_per_cycle={WORKERS}))",
    ),
}


@pytest.fixture(params=["dask", "ray", pytest.param("work queue", marks=needs_work_queue), "taskvine"])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Engine:
    """An engine that this machine has."""
    engine = ENGINES[request.param]
    if engine.module:
        reason = f"{request.param} is not installed: pip install 'parsl[{engine.module}]'"
        pytest.importorskip(engine.module, reason=reason)
    elif request.param == "taskvine":
        use_task_vine(tmp_path_factory, monkeypatch)
    return engine


def test_the_workflow_of_aurora(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "config.py").write_text(
        f"import parsl.providers\nfrom parsl.executors import {engine.imports}\n"
        f"aurora_single_tile_config = parsl.Config(executors=[{engine.executor}])\n"
    )
    program = tmp_path / "GettingStarted/Examples/Aurora/affinity_gpu/sycl/hello_affinity"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho on a tile\n")
    program.chmod(0o755)
    script = (EXAMPLES / "aurora" / "my_parsl_workflow.py").read_text()
    printed = run_script(tmp_path, script, HOME=str(tmp_path)).output
    assert printed.count("['on a tile\\n']") == 12
    assert printed.endswith("Tasks done!\n")


def test_the_pipeline_of_variable_stars(engine: Engine, tmp_path: Path) -> None:
    source = (EXAMPLES / "variable_stars" / "pipeline.py").read_text()
    changed = source.replace('HighThroughputExecutor(label="cores")', engine.executor)
    assert changed != source
    for module in (EXAMPLES / "variable_stars").glob("*.py"):
        (tmp_path / module.name).write_bytes(module.read_bytes())
    with (
        gzip.open(EXAMPLES / "variable_stars" / "survey.csv.gz", "rt") as whole,
        gzip.open(tmp_path / "few.csv.gz", "wt") as part,
    ):
        part.writelines(line for line in whole if line.startswith(("V000", "V003")))
    imports = f"import argparse\nimport parsl.providers\nfrom parsl.executors import {engine.imports}"
    printed = run_script(
        tmp_path, changed.replace("import argparse", imports), "--survey=few.csv.gz", "--output=stars"
    ).output
    assert "7 tasks, 0 of them done in an earlier run" in printed
    assert (tmp_path / "stars" / "stars.png").stat().st_size > 1000


def test_the_tutorial(engine: Engine, tmp_path: Path) -> None:
    blocks = read_blocks((DOCS / "tutorial.md").read_text())
    for block in blocks:
        if block.file_name is not None:
            (tmp_path / block.file_name).write_text(block.text)
    here = f"config = this_machine(workers={WORKERS}, retries=1)"
    imports = f"from parsl.executors import {engine.imports}"
    executor = engine.executor.replace("shared_fs=False", "shared_fs=True")  # its apps open paths
    executor = executor.replace("'regular'", "'serverless'")  # it has many short tasks
    there = f"{imports}\nconfig = parsl.Config(executors=[{executor}], retries=1)"
    program = make_program(blocks)
    assert here in program
    run_script(tmp_path, program.replace(here, there), HOME=str(tmp_path))
