"""The suite of ``parsl.testing`` with the provider that needs no scheduler."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from parsl.common.processes import terminate_tree
from parsl.providers import LocalProvider
from parsl.providers.base import ExecutionProvider
from parsl.testing.provider_conformance import ProviderConformance


@pytest.mark.slow
class TestLocal(ProviderConformance):
    def make_provider(self, directory: Path) -> ExecutionProvider:
        return LocalProvider(**self.limits)

    def remaining(self, directory: Path) -> list[psutil.Process]:
        """Return the processes of jobs: the directory is in their command lines."""
        return [one for one in psutil.process_iter() if _is_of_a_job(one, str(directory))]

    def lose(self, job_id: object) -> None:
        terminate_tree(int(str(job_id)), grace_s=0, kill_grace_s=5)

    def driver_code(self, directory: Path) -> str:
        return f"from parsl.providers import LocalProvider\nprovider = LocalProvider(**{self.limits})"


def _is_of_a_job(process: psutil.Process, directory: str) -> bool:
    try:
        line = " ".join(process.cmdline())
    except psutil.Error:
        return False
    is_other = process.pid == os.getpid() or "driver.py" in line or "interchange" in line
    return directory in line and not is_other
