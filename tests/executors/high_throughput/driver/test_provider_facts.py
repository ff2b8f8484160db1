"""What providers determine about nodes and managers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from parsl.executors.high_throughput.driver import provider_facts
from parsl.executors.high_throughput.wire.settings import WorkerPoolSettings
from parsl.launchers import SimpleLauncher, SingleNodeLauncher, SrunLauncher
from parsl.providers import LocalProvider, SlurmProvider


class OwnProvider(LocalProvider):
    """May start managers anywhere."""


@pytest.mark.parametrize(
    ("provider", "is_expected"),
    [
        (LocalProvider(), True),
        (LocalProvider(launcher=SimpleLauncher()), True),
        (LocalProvider(nodes_per_block=2), False),
        (LocalProvider(launcher=SrunLauncher()), False),
        (OwnProvider(), False),
        (SlurmProvider(launcher=SingleNodeLauncher()), False),
    ],
)
def test_only_plain_local_blocks_are_known_to_run_on_this_host(provider: Any, is_expected: bool) -> None:
    assert provider_facts.runs_on_this_host(provider) is is_expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"cpus_per_node": 208}, 208),
        ({"cores_per_node": 64}, 64),
        ({"cpus_per_node": 1}, None),
        ({"cores_per_node": None}, None),
        ({}, None),
    ],
)
def test_a_single_cpu_states_nothing_about_a_node(
    attributes: dict[str, int | None], expected: int | None
) -> None:
    assert provider_facts.cpus_of_node(SimpleNamespace(**attributes)) == expected


def test_workers_of_other_hosts_are_those_that_the_parameters_determine() -> None:
    settings = WorkerPoolSettings(log_dir="/logs", mem_per_worker_gb=8, node_cpus=64)
    provider = SimpleNamespace(mem_per_node=256)
    assert provider_facts.expected_workers(settings, provider, is_local=False) == 32


def test_too_large_workers_have_no_expected_number() -> None:
    settings = WorkerPoolSettings(log_dir="/logs", mem_per_worker_gb=1e9)
    assert provider_facts.expected_workers(settings, LocalProvider(), is_local=True) is None
