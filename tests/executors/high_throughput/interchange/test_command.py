"""The interchange's command and its public paths."""

from __future__ import annotations

import subprocess
import sys

import pytest

from parsl.executors.high_throughput.interchange.manager import Manager
from parsl.executors.high_throughput.manager_record import ManagerRecord


@pytest.mark.parametrize("module", ["interchange", "interchange.command"])
def test_without_a_descriptor_the_command_explains_its_use(module: str) -> None:
    command = [sys.executable, "-m", f"parsl.executors.high_throughput.{module}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: interchange.py DESCRIPTOR")


def test_importing_the_entry_point_loads_no_part_of_the_interchange() -> None:
    script = """if True:
        import sys
        from parsl.executors.high_throughput.interchange import main
        print([name for name in sys.modules if "high_throughput.interchange." in name or name == "msgspec"])
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_selectors_find_the_type_of_a_manager_at_the_public_path() -> None:
    assert ManagerRecord is Manager
