"""What is checked: an executor of a configuration, with its provider."""

from __future__ import annotations

from typing import Any, NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.config import Config
    from parsl.providers.cluster_provider import ClusterProvider


class Subject(NamedTuple):
    """An executor, its provider, and the configuration that both belong to.

    Executors and providers may be anybody's: what they do not have is not checked.
    """

    config: Config
    executor: Any
    provider: Any

    @property
    def batch(self) -> ClusterProvider | None:
        """The provider, if it submits jobs to a scheduler in our way."""
        from parsl.providers.cluster_provider import ClusterProvider

        return self.provider if isinstance(self.provider, ClusterProvider) else None

    @property
    def is_local(self) -> bool:
        """Whether blocks are processes of this host."""
        from parsl.providers import LocalProvider

        return isinstance(self.provider, LocalProvider)

    @property
    def is_pbs(self) -> bool:
        """Whether the scheduler is PBS Pro or Torque."""
        from parsl.providers import TorqueProvider

        return isinstance(self.provider, TorqueProvider)

    @property
    def is_htex(self) -> bool:
        """Whether the executor is ours, with managers on the nodes."""
        from parsl.executors import HighThroughputExecutor

        return isinstance(self.executor, HighThroughputExecutor)

    @property
    def is_mpi(self) -> bool:
        """Whether tasks ask for nodes."""
        return bool(getattr(self.executor, "enable_mpi_mode", False))

    @property
    def worker_init(self) -> str:
        """The shell text that a job begins with."""
        return str(getattr(self.provider, "worker_init", "") or "")

    @property
    def nodes_per_block(self) -> int:
        """Nodes of one block."""
        return int(getattr(self.provider, "nodes_per_block", 1) or 1)

    @property
    def provider_name(self) -> str:
        """The provider's class."""
        return type(self.provider).__name__


def subjects_of(config: Config) -> list[Subject]:
    """Return the executors of a configuration."""
    return [Subject(config, executor, getattr(executor, "provider", None)) for executor in config.executors]
