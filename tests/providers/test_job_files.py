from __future__ import annotations

import stat
from itertools import count
from pathlib import Path

import pytest

from parsl.providers import PBSProProvider
from parsl.providers.cluster_provider import plain_job_name
from parsl.providers.errors import ScriptPathError
from parsl.providers.job_files import open_script_dir, reserve_job_files


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("parsl.htex.block-0", "parsl.htex.block-0"),
        ("my label/1", "my_label_1"),
        ("0", "j0"),
        ("", "j"),
        ("ärger", "j_rger"),
        ("x" * 300, "x" * 180),
    ],
)
def test_plain_names(name, plain):
    assert plain_job_name(name) == plain


def test_names_are_taken_once(tmp_path):
    first = reserve_job_files(str(tmp_path), "job", count())
    second = reserve_job_files(str(tmp_path), "job", count())
    assert (first.name, second.name) == ("job.0", "job.1")
    assert first.stdout_path == str(tmp_path / "job.0.stdout")


def test_scripts_are_readable_by_their_owner_only(tmp_path):
    files = reserve_job_files(str(tmp_path), "job", count())
    files.write(".sh", "token=secret\n")
    mode = Path(files.script_path).stat().st_mode
    assert stat.S_IMODE(mode) == 0o700


def test_script_dir_must_be_set_and_creatable(tmp_path):
    with pytest.raises(ScriptPathError, match=r"set provider\.script_dir"):
        open_script_dir(None)
    (tmp_path / "file").touch()
    with pytest.raises(ScriptPathError, match="file"):
        open_script_dir(str(tmp_path / "file" / "dir"))
    provider = PBSProProvider()
    provider.script_dir = str(tmp_path / "a\nb")
    with pytest.raises(ScriptPathError, match="line break"):
        provider.submit("c", 1)
