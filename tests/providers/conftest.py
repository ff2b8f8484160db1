from __future__ import annotations

import sys
from pathlib import Path

import pytest

import parsl
from parsl.testing.schedulers import PBSCluster, Policy
from parsl.testing.schedulers.cluster import marked_processes
from tests.providers.fake_commands import FakeCommands


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """A PATH with the system's basic tools and no scheduler except what the test adds."""
    directory = tmp_path / "fake commands"
    tools = tmp_path / "tools"
    directory.mkdir()
    tools.mkdir()
    for tool in ("bash", "cat", "hostname", "sleep", "env", "awk", "getconf", "mktemp", "chmod"):
        for source in ("/bin", "/usr/bin"):
            if not (tools / tool).exists():
                (tools / tool).symlink_to(f"{source}/{tool}")
    monkeypatch.setenv("PATH", f"{directory}:{tools}")
    return FakeCommands(directory)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home directory as in the user guide: an environment to activate, and the programs."""
    folder = tmp_path / "home"
    activate = folder / "_env" / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    python_directory = Path(sys.executable).parent
    sources = Path(parsl.__file__).parents[1]
    activate.write_text(f"export PATH='{python_directory}':$PATH PYTHONPATH='{sources}'\n")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("SHELL", "/bin/bash")
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def make_cluster(home, tmp_path, monkeypatch):
    made = []

    def make(nodes=2, **more):
        made.append(PBSCluster(tmp_path / "c", nodes, **more))
        made[-1].activate(monkeypatch)
        return made[-1]

    yield make
    for cluster in made:
        cluster.close()
        assert marked_processes(cluster.directory) == []


@pytest.fixture
def cluster(make_cluster):
    return make_cluster(policy=Policy(kill_delay_s=2))
