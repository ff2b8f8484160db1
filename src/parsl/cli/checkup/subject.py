"""What the checks take: an executor of a configuration with its provider."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider, TorqueProvider
from parsl.providers.cluster_provider import ClusterProvider


class FailedCommand(NamedTuple):
    """A command of worker_init that failed."""

    text: str
    exit_code: int


class PythonFacts(NamedTuple):
    """A Python and the Parsl that it imports."""

    path: str
    #: Such as "3.10".
    version: str = ""
    #: Empty if Parsl cannot be imported.
    parsl_version: str = ""
    #: The output of Python if Parsl cannot be imported.
    error: str = ""


class Probe(NamedTuple):
    """What worker_init does on this host."""

    #: Whether the shell reached the end of worker_init.
    has_ended: bool
    exit_code: int
    timed_out: bool
    stderr: str
    failed: tuple[FailedCommand, ...] = ()
    #: The relevant variables afterwards.
    environment: Mapping[str, str] = MappingProxyType({})
    #: The path of the launcher's program; empty if it was not found.
    program: str = ""
    #: The Python that starts the manager, and the first one on the PATH.
    own_python: PythonFacts = PythonFacts("")
    found_python: PythonFacts = PythonFacts("")
    #: The path of the first Python on the PATH before worker_init.
    python_before: str = ""
    #: The path of process_worker_pool.py; empty if it was not found.
    worker_pool: str = ""


class CheckOptions(NamedTuple):
    """How far the checks may go."""

    #: Whether the scheduler may check the job, which uses up a job id.
    dry_run: bool = True
    run_worker_init: bool = True
    #: The time limit of worker_init, and of a dry run, in seconds.
    timeout_s: float = 60.0


class Subject(NamedTuple):
    """An executor, its provider, their configuration, and what the checks know about them.

    Executors and providers may come from other packages; attributes that they lack are not checked.
    """

    config: Config
    executor: Any
    provider: Any
    options: CheckOptions = CheckOptions()
    #: The files of a job, text by path; empty without a job script.
    job_files: Mapping[str, str] = MappingProxyType({})
    #: The result of running worker_init here; None if that was not done.
    probe: Probe | None = None

    @property
    def batch(self) -> ClusterProvider | None:
        """The provider, if it is a ClusterProvider."""
        return self.provider if isinstance(self.provider, ClusterProvider) else None

    @property
    def is_local(self) -> bool:
        """Whether blocks run on this host."""
        return isinstance(self.provider, LocalProvider)

    @property
    def is_elsewhere(self) -> bool:
        """Whether blocks run on machines that have files of their own, such as those of a cloud."""
        return not getattr(self.provider, "shares_files", True)

    @property
    def is_pbs(self) -> bool:
        """Whether the scheduler is PBS Pro or Torque."""
        return isinstance(self.provider, TorqueProvider)

    @property
    def is_htex(self) -> bool:
        return isinstance(self.executor, HighThroughputExecutor)

    @property
    def is_mpi(self) -> bool:
        """Whether tasks request nodes."""
        return bool(getattr(self.executor, "enable_mpi_mode", False))

    @property
    def launcher(self) -> Any:
        """The launcher; None without one."""
        return getattr(self.provider, "launcher", None)

    @property
    def worker_init(self) -> str:
        return str(getattr(self.provider, "worker_init", "") or "")

    @property
    def nodes_per_block(self) -> int:
        return int(getattr(self.provider, "nodes_per_block", 1) or 1)

    @property
    def provider_name(self) -> str:
        return type(self.provider).__name__
