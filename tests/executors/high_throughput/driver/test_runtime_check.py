from __future__ import annotations

import pytest

from parsl.executors import HighThroughputExecutor
from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.high_throughput.driver.runtime_check import check_runtime
from parsl.providers import PBSProProvider


@pytest.mark.parametrize("walltime_s", [None, 600])
def test_a_time_that_a_block_has(walltime_s: float | None) -> None:
    check_runtime(0.5, walltime_s)
    check_runtime(600, walltime_s)


@pytest.mark.parametrize(
    ("runtime_s", "walltime_s"), [(0, None), (-1, None), (float("inf"), None), (601, 600)]
)
def test_a_time_that_no_block_has(runtime_s: float, walltime_s: float | None) -> None:
    with pytest.raises(InvalidResourceSpecification, match="runtime_s"):
        check_runtime(runtime_s, walltime_s)


@pytest.mark.parametrize("value", ["1h", True, 3601])
def test_an_executor_refuses_what_its_provider_cannot_give(value: object) -> None:
    executor = HighThroughputExecutor(provider=PBSProProvider(walltime="1:00:00"))
    executor.validate_resource_spec({"runtime_s": 3600})
    with pytest.raises(InvalidResourceSpecification, match="runtime_s"):
        executor.validate_resource_spec({"runtime_s": value})
