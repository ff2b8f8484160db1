from __future__ import annotations

import pytest

from parsl.executors.high_throughput.node.facts import seconds_left

NOW_S = 1_700_000_000.0


def script(age_s: float, walltime_s: object = 600) -> dict[str, str]:
    return {
        "PARSL_BLOCK_STARTED": f"{NOW_S - age_s:.0f}",
        "PARSL_BLOCK_WALLTIME_S": str(walltime_s),
    }


@pytest.mark.parametrize(
    ("environment", "walltime_s", "left_s"),
    [
        ({}, None, None),
        ({}, 600, 600),
        (script(100), 600, 500),
        (script(100), None, 500),
        (script(-50), None, 600),  # this node's clock is behind
        (script(700), 600, 600),  # this node's clock is wrong, or the job has been extended
        (script(10, "many"), 300, 300),
        ({"SLURM_JOB_END_TIME": f"{NOW_S + 50:.0f}"}, None, 50),
        ({"SLURM_JOB_END_TIME": f"{NOW_S + 50:.0f}", **script(100)}, 600, 50),
        ({"SLURM_JOB_END_TIME": "0", **script(100)}, 600, 500),
        ({"SLURM_JOB_END_TIME": "-3"}, 600, 600),
    ],
)
def test_how_much_time_a_job_has(
    environment: dict[str, str], walltime_s: float | None, left_s: float | None
) -> None:
    assert seconds_left(environment, walltime_s, NOW_S) == left_s
