"""One cluster of Dask for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster of two workers with one thread each, in processes of their own."""
    distributed = pytest.importorskip(
        "distributed", reason="Dask is not installed: pip install 'parsl[dask]'"
    )
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster
