"""Fixtures for the threads of executors."""

from __future__ import annotations

import threading

import pytest


@pytest.fixture
def no_more_threads(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let the system refuse to start threads, as above `ulimit -u`."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    return monkeypatch
