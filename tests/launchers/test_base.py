from __future__ import annotations

import functools
import subprocess
import sys

import pytest

from parsl.launchers import SimpleLauncher
from parsl.launchers.base import Launcher, check_launcher, launch_text
from parsl.launchers.errors import BadLauncher
from parsl.providers.errors import ExecutionProviderException


class OlderLauncher(Launcher):
    def __call__(self, command, tasks_per_node, nodes_per_block):
        return f"older {command} {tasks_per_node} {nodes_per_block}"


class NewerLauncher(Launcher):
    def __call__(self, command, tasks_per_node, nodes_per_block, script_dir=""):
        return f"newer {script_dir}"


class OpenLauncher(Launcher):
    def __call__(self, command, *args, **kwargs):
        return f"open {args}"


class DecoratedLauncher(Launcher):
    @staticmethod
    def loud(method):
        @functools.wraps(method)
        def shout(*args):
            return method(*args).upper()

        return shout

    @loud.__func__
    def __call__(self, command, tasks_per_node, nodes_per_block):
        return command


@pytest.mark.parametrize(
    ("launcher", "text"),
    [
        (OlderLauncher(), "older run 2 3"),
        (NewerLauncher(), "newer /dir"),
        (OpenLauncher(), "open (2, 3, '/dir')"),
        (DecoratedLauncher(), "RUN"),
    ],
)
def test_launchers_that_accept_a_script_dir_get_it(launcher, text):
    assert launch_text(launcher, "run", 2, 3, "/dir").splitlines()[1:] == [text]


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/usr/bin:/bin", "/usr/bin:/bin:/an env/bin"), ("", "/an env/bin")],
)
def test_the_path_ends_with_the_directory_of_the_drivers_python(monkeypatch, path, expected):
    monkeypatch.setattr(sys, "executable", "/an env/bin/python")
    text = launch_text(SimpleLauncher(), 'echo "$PATH"', 1, 1)
    shell = subprocess.run(["/bin/bash", "-uc", text], env={"PATH": path}, capture_output=True, check=True)
    assert shell.stdout.decode() == f"{expected}\n"


@pytest.mark.parametrize("executable", ["", None, "/a:b/python"])
def test_a_python_that_cannot_be_on_a_path_changes_nothing(monkeypatch, executable):
    monkeypatch.setattr(sys, "executable", executable)
    assert launch_text(SimpleLauncher(), "run", 1, 1) == "run"


def test_a_launcher_without_a_call_method_cannot_be_created():
    class Empty(Launcher):
        pass

    with pytest.raises(TypeError):
        Empty()


def test_a_launcher_passes():
    launcher = SimpleLauncher()
    assert check_launcher("owner", "launcher", launcher) is launcher


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("srun", "'srun' (str)"),
        (None, "None (NoneType)"),
        (SimpleLauncher, "the class SimpleLauncher (call it"),
    ],
)
def test_bad_launcher(value, shown):
    with pytest.raises(BadLauncher) as caught:
        check_launcher("owner", "launcher", value)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, ExecutionProviderException)
    assert caught.value.launcher is value
    assert shown in str(caught.value)
