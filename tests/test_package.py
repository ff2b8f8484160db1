from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import parsl


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


def source() -> str:
    import os

    return os.path.dirname(os.path.dirname(parsl.__file__))


def test_every_public_name_exists() -> None:
    for name in parsl.__all__:
        assert getattr(parsl, name) is not None, name
        assert name in dir(parsl)
    assert parsl.AUTO_LOGNAME == -1
    assert parsl.__version__


def test_an_unknown_name_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'.*python_app"):
        _ = parsl.nothing  # type: ignore[attr-defined]


def test_submodules_need_no_separate_import() -> None:
    code = f"""
import sys; sys.path.insert(0, {source()!r})
import parsl
print(parsl.config.Config is parsl.Config, parsl.executors.ThreadPoolExecutor is parsl.ThreadPoolExecutor)
print(parsl.providers.LocalProvider.__name__, parsl.errors.ParslError.__name__)
"""
    assert run(code) == "True True\nLocalProvider ParslError"


def test_importing_parsl_imports_nothing_else() -> None:
    code = f"""
import sys; sys.path.insert(0, {source()!r})
before = set(sys.modules)
import parsl
print(sorted(name for name in set(sys.modules) - before if name.partition('.')[0] != '__future__'))
"""
    assert run(code) == "['parsl']"


def test_running_a_first_task_imports_nothing_slow() -> None:
    slow = "asyncio dataclasses importlib.metadata inspect multiprocessing psutil random rich subprocess"
    slow += " tempfile typeguard uuid zmq msgspec cloudpickle"
    code = f"""
import os, sys; sys.path.insert(0, {source()!r})
import parsl
from parsl.config import Config
before = set(sys.modules)
from parsl.dataflow.dflow import DataFlowKernel
from parsl.executors.base import ParslExecutor
print(sorted((set(sys.modules) - before) & set({slow!r}.split())))
"""
    assert run(code) == "[]"


#: What upstream has loaded after ``import parsl``, without what this version does not have.
LOADED = """
addresses app app.app app.errors app.futures config curvezmq data_provider data_provider.data_manager
data_provider.file_noop data_provider.files data_provider.ftp data_provider.http data_provider.staging
data_provider.zip dataflow dataflow.dependency_resolvers dataflow.dflow dataflow.errors dataflow.futures
dataflow.memoization dataflow.rundirs dataflow.states dataflow.taskrecord errors executors executors.base
executors.errors executors.execute_task executors.high_throughput executors.high_throughput.errors
executors.high_throughput.executor executors.high_throughput.manager_record
executors.high_throughput.manager_selector executors.high_throughput.mpi_executor
executors.high_throughput.mpi_prefix_composer executors.status_handling executors.threads jobs
jobs.error_handlers jobs.errors jobs.job_status_poller jobs.states jobs.strategy launchers launchers.base
launchers.errors launchers.launchers log_utils logconfigs logconfigs.base logconfigs.file monitoring
monitoring.message_type monitoring.types multiprocessing process_loggers providers providers.base
providers.cluster_provider providers.condor providers.condor.condor providers.errors providers.grid_engine
providers.grid_engine.grid_engine providers.local providers.local.local providers.lsf providers.lsf.lsf
providers.pbspro providers.pbspro.pbspro providers.slurm providers.slurm.slurm providers.torque
providers.torque.torque serialize serialize.base serialize.concretes serialize.errors serialize.facade
usage_tracking usage_tracking.api usage_tracking.levels usage_tracking.usage utils version
"""


def test_after_import_parsl_alone_the_submodules_of_upstream_are_attributes() -> None:
    code = f"""
import sys; sys.path.insert(0, {source()!r})
import parsl
from operator import attrgetter
for path in reversed({LOADED.split()!r}):
    assert attrgetter(path)(parsl).__name__ == "parsl." + path, path
print(parsl.app.app.bash_app is parsl.bash_app)
"""
    assert run(code) == "True"


def test_an_unknown_submodule_is_an_error_that_names_the_package() -> None:
    with pytest.raises(AttributeError, match=r"module 'parsl\.dataflow' has no attribute 'nothing'"):
        _ = parsl.dataflow.nothing


def test_a_submodule_that_cannot_be_imported_raises_its_own_error(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "__init__.py").write_text(
        "from parsl.common import lazy_names\n__getattr__, __dir__ = lazy_names(__name__)\n"
    )
    (tmp_path / "broken" / "part.py").write_text("import no_such_module\n")
    code = f"""
import sys; sys.path[:0] = [{source()!r}, {str(tmp_path)!r}]
import broken
try:
    broken.part
except ModuleNotFoundError as error:
    print(error.name)
"""
    assert run(code) == "no_such_module"
