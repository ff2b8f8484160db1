"""A Ray cluster on this machine, for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

REASON = "Ray is not installed: pip install 'parsl[ray]'"


@pytest.fixture(scope="module")
def ray() -> Any:
    """The module."""
    return pytest.importorskip("ray", reason=REASON)


@pytest.fixture(scope="module")
def cluster(ray: Any) -> Iterator[str]:
    """The address of a cluster with two cores, which this process has initialised like a script."""
    from parsl.executors.ray.session import Session
    from parsl.executors.ray.target import Target

    session = Session("these tests", ray, Target(num_cpus=2))
    try:
        yield ray.get_runtime_context().gcs_address
    finally:
        session.close()
