from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

import parsl
from parsl.cli.main import main
from parsl.testing.schedulers import AURORA_POLICY, PBSCluster

SOURCES = Path(parsl.__file__).parents[1]

HEADER = """
from parsl.config import Config
from parsl.executors import *
from parsl.launchers import *
from parsl.providers import *
"""


class Doctor:
    """Writes configurations, checks them, and records the findings.

    Args:
        directory: The directory of the configurations.
        capsys: The pytest fixture, which captures the output.
    """

    def __init__(self, directory, capsys):
        self.directory = directory
        self._capsys = capsys
        self.code = None
        self.answer = {}

    def check(self, text, *options, name=""):
        """Check a file with a text; return its findings as (level, topic, text and advice)."""
        path = self.directory / "config.py"
        path.write_text(HEADER + text)
        return self.run(f"{path}{name}", *options)

    def run(self, *words):
        """Run the command, and return the findings."""
        self.code = main(["doctor", "--json", *words])
        self.answer = json.loads(self._capsys.readouterr().out)
        entries = [entry for config in self.answer["configs"] for entry in config["executors"]]
        lists = [self.answer["findings"], *(entry["findings"] for entry in entries)]
        found = [
            (one["level"], one["topic"], f"{one['text']} {one['advice']}") for ones in lists for one in ones
        ]
        assert self.code == (1 if any(level == "error" for level, _, _ in found) else 0)
        return found

    def script(self):
        """The job script of the only executor."""
        [config] = self.answer["configs"]
        return list(config["executors"][0]["job_files"].values())[-1]


def of_level(found, *levels):
    return [(topic, text) for level, topic, text in found if level in levels]


@pytest.fixture
def doctor(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("PBS_NODEFILE", "SLURM_JOB_NODELIST", "SLURM_NODELIST", "ZE_FLAT_DEVICE_HIERARCHY"):
        monkeypatch.delenv(name, raising=False)
    return Doctor(tmp_path, capsys)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A separate home directory, so that no login script of the user has an effect."""
    directory = tmp_path / "home"
    directory.mkdir()
    monkeypatch.setenv("HOME", str(directory))
    return directory


@pytest.fixture
def add_command(tmp_path, monkeypatch):
    """Put stand-ins for commands on the PATH, before the others."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")

    def add(name, script):
        path = directory / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    return add


@pytest.fixture
def pbs(tmp_path, monkeypatch):
    with PBSCluster(tmp_path / "c", policy=AURORA_POLICY) as cluster:
        monkeypatch.setenv("PATH", cluster.environment()["PATH"])
        yield cluster


@pytest.fixture
def environment(home):
    """The environment that the guide activates: this Python, and our Parsl."""
    activate = home / "_env" / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.write_text(f"export PATH='{Path(sys.executable).parent}':$PATH PYTHONPATH='{SOURCES}'\n")
    return home / "_env"
