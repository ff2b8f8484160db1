"""Blocks on nodes that do not see the driver's files: their command carries everything."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

import parsl
from parsl.config import Config
from parsl.errors import ConfigurationError
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider

REFUSED = "SomeCloudProvider: InvalidAMIID.NotFound: The image id '[ami-1]' does not exist"


class ForeignProvider(LocalProvider):
    """Starts blocks whose managers do without the driver's files, in a directory of the node's own."""

    shares_files = False

    def __init__(self, tmp: Path, *, refuses: bool = False) -> None:
        super().__init__(worker_init=f"cd /; export TMPDIR={tmp}")
        self.refuses = refuses
        self.events: list[str] = []

    def prepare(self, run: str) -> None:
        if self.refuses:
            raise ConfigurationError(REFUSED)
        self.events.append(run)

    def close(self) -> None:
        self.events.append("closed")


def config(tmp_path: Path, provider: LocalProvider, *, encrypted: bool = True) -> Config:
    executor = HighThroughputExecutor(
        label="htex", provider=provider, encrypted=encrypted, max_workers_per_node=1, cores_per_worker=0.1
    )
    return Config(executors=[executor], run_dir=str(tmp_path / "runs"), usage_tracking=0, strategy="none")


@pytest.fixture
def node_tmp(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "node"
    directory.mkdir()
    return directory


@pytest.mark.parametrize("encrypted", [True, False])
def test_tasks_run_without_the_files_of_the_driver(tmp_path: Path, node_tmp: Path, encrypted: bool) -> None:
    provider = ForeignProvider(node_tmp)
    with parsl.load(config(tmp_path, provider, encrypted=encrypted)) as dfk:
        variable = parsl.python_app(os.getenv, data_flow_kernel=dfk)
        assert variable("TMPDIR").result(60) == str(node_tmp)
        large = parsl.python_app(len, data_flow_kernel=dfk)
        assert large(bytes(3_000_000)).result(60) == 3_000_000
        [script] = (tmp_path / "runs").rglob("submit_scripts/*.sh")
        assert str(tmp_path / "runs") not in script.read_text().replace(str(script.parent), "")
        assert stat.S_IMODE(script.parent.stat().st_mode) == 0o700
        [logs] = node_tmp.glob("parsl-logs-*")
        assert list(logs.rglob("manager.log"))
    run, *ends = provider.events
    assert run.startswith("parsl-")
    assert set(ends) == {"closed"}


def test_a_provider_that_is_refused_ends_the_load(tmp_path: Path, node_tmp: Path) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(REFUSED)):
        parsl.load(config(tmp_path, ForeignProvider(node_tmp, refuses=True)))
    with pytest.raises(parsl.errors.NoDataFlowKernelError):
        parsl.dfk()
