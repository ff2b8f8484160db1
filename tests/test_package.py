from __future__ import annotations

import subprocess
import sys

import pytest

import parsl


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


def source() -> str:
    import os

    return os.path.dirname(os.path.dirname(parsl.__file__))


def test_every_public_name_exists() -> None:
    for name in parsl.__all__:
        assert getattr(parsl, name) is not None, name
        assert name in dir(parsl)
    assert parsl.AUTO_LOGNAME == -1
    assert parsl.__version__


def test_an_unknown_name_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'.*python_app"):
        _ = parsl.nothing  # type: ignore[attr-defined]


def test_submodules_need_no_separate_import() -> None:
    code = f"""
import sys; sys.path.insert(0, {source()!r})
import parsl
print(parsl.config.Config is parsl.Config, parsl.executors.ThreadPoolExecutor is parsl.ThreadPoolExecutor)
print(parsl.providers.LocalProvider.__name__, parsl.errors.ParslError.__name__)
"""
    assert run(code) == "True True\nLocalProvider ParslError"


def test_importing_parsl_imports_nothing_else() -> None:
    code = f"""
import sys; sys.path.insert(0, {source()!r})
before = set(sys.modules)
import parsl
print(sorted(name for name in set(sys.modules) - before if name.partition('.')[0] != '__future__'))
"""
    assert run(code) == "['parsl']"


def test_running_a_first_task_imports_nothing_slow() -> None:
    slow = "asyncio dataclasses importlib.metadata inspect multiprocessing psutil random rich subprocess"
    slow += " tempfile typeguard uuid zmq msgspec cloudpickle"
    code = f"""
import os, sys; sys.path.insert(0, {source()!r})
import parsl
from parsl.config import Config
before = set(sys.modules)
from parsl.dataflow.dflow import DataFlowKernel
from parsl.executors.base import ParslExecutor
print(sorted((set(sys.modules) - before) & set({slow!r}.split())))
"""
    assert run(code) == "[]"
