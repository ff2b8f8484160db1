"""The stand-in for Google's services, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("googleapiclient", reason="the extra google_cloud is not installed")
pytest.importorskip("cryptography", reason="the stand-in for Google's services makes keys with it")

from tests.support.clouds.google_compute import GoogleCompute


@pytest.fixture
def google() -> Iterator[GoogleCompute]:
    """Compute Engine, whose machines run nothing."""
    service = GoogleCompute()
    yield service
    service.close()


@pytest.fixture
def key_file(google, tmp_path) -> str:
    """The key of a service account that the service knows."""
    return google.server.write_key_file(tmp_path / "key.json")
