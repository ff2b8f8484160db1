"""The state file."""

from __future__ import annotations

import os

import pytest

from parsl.errors import ConfigurationError
from parsl.providers.machines.state_file import SavedRun, SavedState, StateFile

STATE = SavedState([SavedRun("run-1", "a.module", {"region": "here"}, {"b": ["i-1", "i-2"]})], 2.5)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "state")


def test_a_later_driver_reads_what_was_written(path):
    file = StateFile(path)
    assert file.read() == SavedState()
    file.write(STATE)
    file.close()
    later = StateFile(path)
    assert later.read() == STATE
    later.close()


def test_only_its_owner_can_read_it(path):
    file = StateFile(path)
    file.write(STATE)
    assert os.stat(path).st_mode & 0o777 == 0o600
    file.close()


def test_two_runs_cannot_share_it(path):
    file = StateFile(path)
    with pytest.raises(ConfigurationError, match="in use by another run"):
        StateFile(path)
    file.close()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 7}', '{"format": 1, "other": 2}'])
def test_another_file_is_refused(path, text):
    with open(path, "w") as stream:
        stream.write(text)
    file = StateFile(path)
    with pytest.raises(ConfigurationError, match=r"cannot be read.*parsl clouds list"):
        file.read()
    file.close()


def test_a_missing_directory_is_an_error(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be written"):
        StateFile(str(tmp_path / "missing" / "state"))
