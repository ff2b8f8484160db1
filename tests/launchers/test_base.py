from __future__ import annotations

import functools

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
def test_script_dir_goes_to_those_who_take_it(launcher, text):
    assert launch_text(launcher, "run", 2, 3, "/dir") == text


def test_launcher_without_a_call_cannot_be_made():
    class Empty(Launcher):
        pass

    with pytest.raises(TypeError):
        Empty()


def test_a_launcher_passes():
    launcher = SimpleLauncher()
    assert check_launcher(launcher) is launcher


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
        check_launcher(value)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, ExecutionProviderException)
    assert caught.value.launcher is value
    assert shown in str(caught.value)
