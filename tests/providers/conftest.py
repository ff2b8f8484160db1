from __future__ import annotations

import pytest

from tests.providers.fake_commands import FakeCommands


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """A PATH with the basic tools of the system, and no scheduler but what the test adds."""
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
