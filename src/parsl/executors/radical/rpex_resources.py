"""What a pilot has, and in which environment its tasks run."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field


@dataclass
class ResourceConfig:
    """The size of a pilot, and the environment of its tasks.

    The names are upstream's, where they describe the masters and workers of RAPTOR. Here each task is a
    process of the pilot, and they only set how many cores and GPUs the pilot has, unless the executor has
    ``cores``, ``gpus`` or ``nodes``.
    """

    masters: int = 1
    workers: int = 1
    worker_gpus_per_node: int = 0
    worker_cores_per_node: int = 4
    cores_per_master: int = 1
    nodes_per_worker: int = 1
    #: ``client`` for the driver's own environment.
    pilot_env_mode: str = "client"
    #: The environment in which tasks run: a directory with ``bin/python``; empty for the driver's.
    pilot_env_path: str = ""
    pilot_env_type: str = "venv"
    pilot_env_name: str = "rp"
    #: Shell commands to run before each task.
    pilot_env_pre_exec: list[str] = field(default_factory=list)
    #: Packages to install into the environment; not supported: install them beforehand.
    pilot_env_setup: list[str] = field(default_factory=list)
    #: The version of Python of the environment.
    python_v: str = f"{sys.version_info.major}.{sys.version_info.minor}"
    worker_type: str = "DefaultWorker"

    @property
    def cores(self) -> int:
        """How many cores the pilot has."""
        return self.workers * self.nodes_per_worker * self.worker_cores_per_node

    @property
    def gpus(self) -> int:
        """How many GPUs the pilot has."""
        return self.workers * self.nodes_per_worker * self.worker_gpus_per_node

    @property
    def python(self) -> str:
        """The Python that runs tasks."""
        return f"{self.pilot_env_path.rstrip('/')}/bin/python" if self.pilot_env_path else sys.executable
