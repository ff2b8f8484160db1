"""Behaviour that plug-in executors inherit from the base class."""

from __future__ import annotations

import os
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest

from parsl.executors.base import ParslExecutor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Plugin(ParslExecutor):
    label = "plugin"
    is_shut_down = False

    def submit(
        self, func: Callable[..., Any], resource_specification: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Future[Any]:
        return Future()

    def shutdown(self) -> None:
        self.is_shut_down = True


def test_plugins_must_define_submit_and_shutdown() -> None:
    with pytest.raises(TypeError, match="abstract"):
        ParslExecutor()  # type: ignore[abstract]
    assert ParslExecutor.__abstractmethods__ == {"submit", "shutdown"}


def test_defaults() -> None:
    executor = Plugin()
    assert (executor.run_dir, executor.run_id) == (os.path.abspath("."), None)
    assert executor.monitoring_messages is None
    assert not executor.enforces_walltime
    assert executor.monitor_resources()
    executor.start()


def test_the_run_directory_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    executor = Plugin(run_dir="here", run_id="x")
    assert (executor.run_dir, executor.run_id) == (str(tmp_path / "here"), "x")
    executor.run_dir = "there"
    assert executor.run_dir == str(tmp_path / "there")
    with pytest.raises(TypeError, match="run_dir"):
        executor.run_dir = 5  # type: ignore[assignment]


def test_leaving_the_block_shuts_down() -> None:
    with Plugin() as executor:
        assert not executor.is_shut_down
    assert executor.is_shut_down
