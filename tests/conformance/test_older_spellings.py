"""Older spellings in scripts and site guides since 2023 are accepted, with one helpful warning."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

import pytest

from parsl.channels import LocalChannel, OAuthSSHChannel, SSHChannel, SSHInteractiveLoginChannel
from parsl.config import Config
from parsl.dataflow.memoization import BasicMemoizer
from parsl.errors import ConfigurationError
from parsl.executors import HighThroughputExecutor, MPIExecutor, ThreadPoolExecutor
from parsl.launchers import SimpleLauncher
from parsl.providers import (
    CondorProvider,
    GridEngineProvider,
    LocalProvider,
    LSFProvider,
    PBSProProvider,
    SlurmProvider,
    TorqueProvider,
)

PROVIDERS = [
    CondorProvider,
    GridEngineProvider,
    LSFProvider,
    LocalProvider,
    PBSProProvider,
    SlurmProvider,
    TorqueProvider,
]


def ensemble(**arguments: Any) -> MPIExecutor:
    return MPIExecutor(provider=LocalProvider(launcher=SimpleLauncher()), **arguments)


def made(make: Any, **arguments: Any) -> tuple[Any, str]:
    """The created object, and the one warning."""
    with pytest.warns(DeprecationWarning, match="has been retired") as warned:
        thing = make(**arguments)
    (warning,) = warned
    return thing, str(warning.message)


@pytest.mark.parametrize(
    ("make", "arguments", "attribute", "value"),
    [
        (HighThroughputExecutor, {"max_workers": 4}, "max_workers_per_node", 4),
        (HighThroughputExecutor, {"worker_ports": (50000, 50001)}, "worker_port", 50000),
        (HighThroughputExecutor, {"worker_ports": None}, "worker_port", None),
        (Config, {"data_management_max_threads": 3}, "internal_tasks_max_threads", 3),
        (ensemble, {"max_workers": 2}, "max_workers_per_block", 2),
        (ensemble, {"max_workers_per_node": 2}, "max_workers_per_block", 2),
        (ensemble, {"worker_ports": (50000, 50001)}, "worker_port", 50000),
    ],
)
def test_renamed(make, arguments, attribute, value):
    thing, warned = made(make, **arguments)
    assert getattr(thing, attribute) == value
    assert f"write {attribute} instead" in warned


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (HighThroughputExecutor, {"enable_mpi_mode": False}),
        (HighThroughputExecutor, {"mpi_launcher": "srun"}),
        (HighThroughputExecutor, {"start_method": "spawn"}),
        (HighThroughputExecutor, {"managed": True}),
        (ThreadPoolExecutor, {"managed": True}),
        (ensemble, {"enable_mpi_mode": True}),
        (Config, {"lazy_errors": True}),
        (LocalProvider, {"walltime": "00:15:00"}),
    ],
)
def test_left_out(make, arguments):
    thing, warned = made(make, **arguments)
    (name,) = arguments
    assert f"{type(thing).__name__}: {name} has been retired: leave it out" in warned


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("arguments", [{"channel": LocalChannel()}, {"move_files": False}], ids=str)
def test_providers(provider, arguments):
    thing, warned = made(provider, max_blocks=3, **arguments)
    assert thing.max_blocks == 3
    assert f"{provider.__name__}: {next(iter(arguments))} has been retired: leave it out" in warned


def test_a_site_guide_of_2023():
    with pytest.warns(DeprecationWarning, match="has been retired") as warned:
        executor = HighThroughputExecutor(
            label="htex",
            address="127.0.0.1",
            max_workers=2,
            cores_per_worker=1,
            worker_logdir_root="/tmp",
            address_probe_timeout=30,
            provider=SlurmProvider(
                "debug",
                channel=LocalChannel(script_dir="scripts"),
                move_files=False,
                worker_init="source activate",
            ),
        )
    assert len(warned) == 3
    assert executor.max_workers_per_node == 2
    assert all(warning.filename == __file__ for warning in warned)


def test_spellings_that_upstream_still_has_cause_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        HighThroughputExecutor(address_probe_timeout=3, worker_logdir_root="/tmp", poll_period=5)
        CondorProvider(cores_per_slot=1, mem_per_slot=2)


@pytest.mark.parametrize("channel", [SSHChannel, OAuthSSHChannel, SSHInteractiveLoginChannel])
def test_channels_to_other_hosts_are_errors_with_advice(channel):
    with pytest.raises(ConfigurationError, match=rf"^{channel.__name__} has been retired.*on a login node"):
        channel(hostname="midway.rcc.uchicago.edu", username="me")


def test_another_channel_is_an_error():
    with pytest.raises(ConfigurationError, match=r"SlurmProvider: channel='ssh' .* on a login node"):
        SlurmProvider(channel="ssh")


def test_mpi_mode_of_the_other_executor_is_an_error_with_advice():
    with pytest.raises(ConfigurationError, match=r"enable_mpi_mode=True .* write MPIExecutor\("):
        HighThroughputExecutor(enable_mpi_mode=True)


def test_a_configuration_of_2019():
    with pytest.warns(DeprecationWarning, match="has been retired") as warned:
        config = Config(
            app_cache=True,
            data_management_max_threads=10,
            executors=[ThreadPoolExecutor(managed=True)],
            lazy_errors=True,
        )
    assert all(warning.filename == __file__ for warning in warned)
    assert config.internal_tasks_max_threads == 10
    assert isinstance(config.memoizer, BasicMemoizer)


@pytest.mark.parametrize(
    ("path", "name", "advice"),
    [
        ("parsl.providers", "AdHocProvider", r"'ssh HOST ' \+ DEFAULT_LAUNCH_CMD"),
        ("parsl.providers", "CobaltProvider", r"Write PBSProProvider\("),
        ("parsl.executors", "ExtremeScaleExecutor", r"write HighThroughputExecutor\("),
        ("parsl.executors", "LowLatencyExecutor", r"write HighThroughputExecutor\("),
        ("parsl.executors.ipp", "IPyParallelExecutor", r"write HighThroughputExecutor\("),
        ("parsl.executors.ipp_controller", "Controller", r"HighThroughputExecutor, which replaces that"),
    ],
)
def test_retired_classes_can_be_imported_and_advise(path, name, advice):
    kind = getattr(import_module(path), name)
    with pytest.raises(ConfigurationError, match=rf"^{name} has been retired: .*{advice}"):
        kind(label="x", channels=[])
    assert name not in import_module(path.partition(".ipp")[0]).__all__


@pytest.mark.parametrize(
    "arguments", [{"app_cache": False}, {"checkpoint_mode": "task_exit"}, {"checkpoint_files": []}], ids=str
)
def test_memoization_in_the_configuration_is_translated(arguments):
    config, warned = made(Config, **arguments)
    assert isinstance(config.memoizer, BasicMemoizer)
    assert "write Config(memoizer=BasicMemoizer(" in warned
