"""Providers accept what existing scripts pass: the same names, order and defaults."""

from __future__ import annotations

from inspect import signature

import pytest

import parsl.providers
from parsl.providers.cluster_provider import ClusterProvider

SINGLE_NODE = "SingleNodeLauncher(debug=True, fail_on_any=False)"
SIGNATURES = {
    "PBSProProvider": (
        "account=None, queue=None, scheduler_options='', select_options='', worker_init='', "
        "nodes_per_block=1, cpus_per_node=1, init_blocks=1, min_blocks=0, max_blocks=1, parallelism=1, "
        f"launcher={SINGLE_NODE}, walltime='00:20:00', cmd_timeout=120"
    ),
    "TorqueProvider": (
        "account=None, queue=None, scheduler_options='', worker_init='', nodes_per_block=1, init_blocks=1, "
        "min_blocks=0, max_blocks=1, parallelism=1, launcher=AprunLauncher(debug=True, overrides=''), "
        "walltime='00:20:00', cmd_timeout=120"
    ),
    "SlurmProvider": (
        "partition=None, account=None, qos=None, constraint=None, clusters=None, nodes_per_block=1, "
        "cores_per_node=None, mem_per_node=None, gpus_per_node=None, gres=None, init_blocks=1, min_blocks=0, "
        "max_blocks=1, parallelism=1, walltime='00:10:00', scheduler_options='', "
        r"regex_job_id='Submitted batch job (?P<id>\\S*)', worker_init='', cmd_timeout=10, "
        f"status_batch_size=50, exclusive=True, launcher={SINGLE_NODE}"
    ),
    "LSFProvider": (
        "nodes_per_block=1, cores_per_block=None, cores_per_node=None, init_blocks=1, min_blocks=0, "
        "max_blocks=1, parallelism=1, walltime='00:10:00', scheduler_options='', worker_init='', "
        "project=None, queue=None, cmd_timeout=120, bsub_redirection=False, request_by_nodes=True, "
        f"launcher={SINGLE_NODE}"
    ),
    "GridEngineProvider": (
        "nodes_per_block=1, init_blocks=1, min_blocks=0, max_blocks=1, parallelism=1, walltime='00:10:00', "
        f"scheduler_options='', worker_init='', launcher={SINGLE_NODE}, cmd_timeout=60, queue=None"
    ),
    "CondorProvider": (
        "nodes_per_block=1, cores_per_slot=None, mem_per_slot=None, init_blocks=1, min_blocks=0, "
        "max_blocks=1, parallelism=1, environment=None, project='', scheduler_options='', "
        "transfer_input_files=(), walltime='00:10:00', worker_init='', "
        f"launcher={SINGLE_NODE}, requirements='', cmd_timeout=60, "
        "cmd_chunk_size=100"
    ),
}
LABELS = {
    "PBSProProvider": "pbspro",
    "TorqueProvider": "torque",
    "SlurmProvider": "slurm",
    "LSFProvider": "LSF",
    "GridEngineProvider": "grid_engine",
    "CondorProvider": "condor",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_parameters_and_defaults(name):
    parameters = signature(getattr(parsl.providers, name)).parameters.values()
    assert ", ".join(f"{one.name}={one.default!r}" for one in parameters) == SIGNATURES[name]


@pytest.mark.parametrize("name", SIGNATURES)
def test_defaults_are_a_provider(name):
    provider = getattr(parsl.providers, name)()
    assert isinstance(provider, ClusterProvider)
    assert provider.label == LABELS[name]
    assert 10 <= provider.status_polling_interval <= 60
    assert repr(provider).startswith(f"{name}(\n")
    assert "<unrecorded>" not in repr(provider)


def test_all_names_exist():
    assert set(SIGNATURES) < set(parsl.providers.__all__)
    assert set(parsl.providers.__all__) <= set(dir(parsl.providers))
