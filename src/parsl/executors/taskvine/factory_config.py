"""The configuration of a TaskVine factory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class TaskVineFactoryConfig:
    """How a TaskVine factory starts workers. By default, it runs one on this machine.

    Args:
        factory_timeout: The factory ends after this time without a manager, in seconds.
        scratch_dir: The directory of the factory; None for one in the run directory.
        min_workers: The minimum number of workers.
        max_workers: The maximum number of workers.
        workers_per_cycle: How many workers are started at most within 30 seconds.
        worker_options: Further options of the workers.
        worker_executable: The worker's program.
        worker_timeout: A worker ends after this time without tasks, in seconds.
        cores: The cores of a worker; None for all of its machine. Likewise ``gpus``.
        gpus: The GPUs of a worker.
        memory: The memory of a worker, in MB.
        disk: The disk of a worker, in MB.
        python_env: A packed environment in which workers run.
        batch_type: Where workers run: ``local``, ``condor``, ``sge``, ``slurm``, ...
        condor_requirements: Requirements of HTCondor jobs.
        batch_options: Further options of the batch system.
        _project_port: The port of the manager; the executor sets this and all that follow.
        _project_address: The address of the manager.
        _project_name: The project name of the manager.
        _project_password_file: The password file of the manager.
    """

    factory_timeout: int = 300
    scratch_dir: str | None = None
    min_workers: int = 1
    max_workers: int = 1
    workers_per_cycle: int = 1
    worker_options: str | None = None
    worker_executable: str = "vine_worker"
    worker_timeout: int = 300
    cores: int | None = None
    gpus: int | None = None
    memory: int | None = None
    disk: int | None = None
    python_env: str | None = None
    batch_type: str = "local"
    condor_requirements: str | None = None
    batch_options: str | None = None
    _project_port: int = 0
    _project_address: str | None = None
    _project_name: str | None = None
    _project_password_file: str | None = None
