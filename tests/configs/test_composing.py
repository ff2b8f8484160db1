"""The shell text at the beginning of the ready-made configurations' jobs."""

import subprocess
import sys

import pytest

from parsl.configs.composing import job_options


def compose(environment="", worker_init="", directory=""):
    sizes = {"walltime": "1:00:00", "nodes_per_block": 1, "min_blocks": 0, "max_blocks": 1}
    texts = {"environment": environment, "worker_init": worker_init, "directory": directory}
    return job_options("test", {**sizes, **texts})["worker_init"]


def run(text, home):
    return subprocess.run(
        ["bash", "-c", text], env={"HOME": str(home), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    ).stdout


def test_without_settings_there_is_no_text():
    assert compose() == ""


def test_first_the_users_modules_then_the_environment_then_the_directory():
    text = compose("/env", "module load frameworks", "/run dir")
    assert text == "module load frameworks\nsource /env/bin/activate\ncd '/run dir'"


@pytest.mark.parametrize(
    "spelling", ["~/my env", "$HOME/my env", "{home}/my env", "{home}/my env/bin/activate"]
)
def test_an_environment_in_any_spelling_is_activated(spelling, tmp_path, monkeypatch):
    activate = tmp_path / "my env" / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.write_text("echo active\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run(compose(spelling.format(home=tmp_path)), tmp_path) == "active\n"


def test_an_environment_without_an_activate_script_goes_to_the_front_of_the_path(tmp_path):
    program = tmp_path / "bin" / "hello"
    program.parent.mkdir()
    program.write_text("#!/bin/bash\necho hello\n")
    program.chmod(0o755)
    assert run(compose(tmp_path) + "\nhello", tmp_path) == "hello\n"


def test_by_default_the_drivers_environment_is_activated(monkeypatch, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "activate").write_text("")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert compose(None, "", None) == f"source {tmp_path}/bin/activate\ncd {tmp_path}"
    monkeypatch.setattr(sys, "prefix", "/usr")
    assert compose(None, "", None) == f"cd {tmp_path}"
