"""Files with credentials."""

from __future__ import annotations

import os

import pytest

from parsl.providers.machines.key_file import full_path, key_file_findings


def test_the_full_path(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.chdir(tmp_path)
    assert full_path(None) is None
    assert full_path("~/keys.json") == "/home/me/keys.json"
    assert full_path("keys.json") == os.path.join(tmp_path, "keys.json")


@pytest.mark.parametrize(("mode", "count"), [(0o600, 0), (0o640, 1), (0o604, 1)])
def test_others_that_can_read_it_are_a_warning(tmp_path, mode, count):
    path = tmp_path / "keys.json"
    path.touch()
    path.chmod(mode)
    findings = key_file_findings(str(path))
    assert [finding.level for finding in findings] == ["warning"] * count


def test_without_a_file_there_is_nothing_to_find(tmp_path):
    assert key_file_findings(None) == []
    assert key_file_findings(str(tmp_path / "missing")) == []
