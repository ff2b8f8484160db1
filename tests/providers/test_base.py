from __future__ import annotations

import pytest

from parsl.jobs.states import JobState, JobStatus
from parsl.providers.base import ExecutionProvider
from parsl.validate import ParameterError


class MinimalProvider(ExecutionProvider):
    """A provider as a plug-in author would write it."""

    def __init__(self, **limits):
        given = {"nodes_per_block": 1, "init_blocks": 1, "min_blocks": 0, "max_blocks": 2, "parallelism": 1}
        self.set_block_limits(**{**given, **limits})

    label = "minimal"
    status_polling_interval = 1

    def submit(self, command, tasks_per_node, job_name="parsl.auto"):
        return 1

    def status(self, job_ids):
        return [JobStatus(JobState.RUNNING) for _ in job_ids]

    def cancel(self, job_ids):
        return [True for _ in job_ids]


def test_a_minimal_provider_has_what_executors_need():
    provider = MinimalProvider(parallelism=0.5)
    assert provider.parallelism == 0.5
    assert provider.max_blocks == 2
    assert provider.script_dir is None
    assert provider.cores_per_node is None
    assert provider.mem_per_node is None
    assert provider.on_job_end is None


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"nodes_per_block": 0}, "nodes_per_block is 0"),
        ({"nodes_per_block": "2"}, "nodes_per_block is '2'"),
        ({"nodes_per_block": True}, "nodes_per_block is True"),
        ({"init_blocks": -1}, "init_blocks is -1"),
        ({"min_blocks": 1.5}, "min_blocks is 1.5"),
        ({"max_blocks": None}, "max_blocks is None"),
        ({"parallelism": 1.1}, "parallelism is 1.1"),
        ({"parallelism": float("nan")}, "parallelism is nan"),
        ({"min_blocks": 3}, "min_blocks is 3.*at most max_blocks, which is 2"),
    ],
)
def test_wrong_limits(limits, message):
    with pytest.raises(ParameterError, match=message):
        MinimalProvider(**limits)


def test_more_initial_blocks_than_the_maximum_cause_a_warning(caplog):
    MinimalProvider(init_blocks=3)
    assert "init_blocks is 3, but max_blocks is only 2" in caplog.text


def test_fewer_initial_blocks_than_the_minimum_are_allowed(caplog):
    MinimalProvider(init_blocks=0, min_blocks=2)
    assert not caplog.records


def test_an_incomplete_provider_cannot_be_instantiated():
    with pytest.raises(TypeError):
        ExecutionProvider()
