"""Fixtures for the tests of the stand-ins."""

import time

import pytest


@pytest.fixture
def utc(monkeypatch):
    """The clock of the recordings."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
