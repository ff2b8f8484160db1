"""Helpers for tests that run executors on the stand-in for PBS."""

from __future__ import annotations

from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.launchers import SimpleLauncher
from parsl.providers import PBSProProvider

DEADLINE_S = 60


def config(tmp_path, provider_options=None, **options):
    provider = PBSProProvider(
        **{
            "account": "x",
            "queue": "debug",
            "worker_init": "source $HOME/_env/bin/activate",
            "walltime": "0:10:00",
            "launcher": SimpleLauncher(),
            "cpus_per_node": 208,
            **(provider_options or {}),
        }
    )
    executor = HighThroughputExecutor(
        label="htex", max_workers_per_node=2, cores_per_worker=0.01, provider=provider
    )
    return Config(executors=[executor], run_dir=str(tmp_path / "runinfo"), usage_tracking=0, **options)


def wait_for_lines(wait_until, path, count):
    """Wait until a file has a number of lines, and return them."""

    def lines():
        return path.read_text().split() if path.exists() else []

    wait_until(lambda: len(lines()) >= count, DEADLINE_S)
    return lines()
