"""A run with one MPIExecutor in a job of a few simulated nodes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from parsl import bash_app, python_app
from parsl.config import Config
from parsl.dataflow.dflow import DataFlowKernel
from parsl.executors import MPIExecutor
from parsl.launchers import SimpleLauncher
from parsl.providers import LocalProvider

if TYPE_CHECKING:
    from collections.abc import Callable

    from parsl.app.futures import AppFuture

#: Each rank locks its node until its last process has ended, and reports an overlap if the lock is taken.
RANK = """\
#!/bin/bash
IFS=, read -ra nodes <<< "$PARSL_MPI_NODELIST"
node=${nodes[$PALS_NODEID]}
exec 9> "$1/$node.lock"
flock -n 9 || { touch "$1/$node.overlap"; exit 9; }
sleep "$2"
exit "$3"
"""


class MpiRun:
    """A kernel with one MPIExecutor, whose block has the nodes in a node file."""

    def __init__(
        self,
        directory: Path,
        nodes: list[str],
        *,
        strategy: str = "none",
        worker_init: str = "",
        names_nodes: bool = True,
        **options: Any,
    ) -> None:
        self.directory = directory
        file = directory / "nodes"
        file.write_text("".join(f"{node}\n" for node in nodes))
        if names_nodes:
            worker_init += f"\nexport PBS_NODEFILE='{file}'"
        provider = LocalProvider(launcher=SimpleLauncher(), worker_init=worker_init)
        self.executor = MPIExecutor(label="mpi", provider=provider, **options)
        self.kernel = DataFlowKernel(
            Config(executors=[self.executor], strategy=strategy, run_dir=str(directory / "r"))
        )

    def __repr__(self) -> str:
        return f"<MpiRun of {self.kernel!r}>"

    def call(self, function: Callable[..., Any], *args: Any, nodes: int = 1, **kwargs: Any) -> AppFuture[Any]:
        """Call a function as a Python app on a number of nodes."""
        app: Any = python_app(function, data_flow_kernel=self.kernel)
        specification = {"num_nodes": nodes, **kwargs.pop("specification", {})}
        return app(*args, parsl_resource_specification=specification, **kwargs)  # type: ignore[no-any-return]

    def shell(self, command: str, nodes: int = 1, **kwargs: Any) -> AppFuture[Any]:
        """Run a command line as a Bash app on a number of nodes."""

        def line(command: str) -> str:
            return command

        app: Any = bash_app(line, data_flow_kernel=self.kernel)
        specification = {"num_nodes": nodes, **kwargs.pop("specification", {})}
        return app(command, parsl_resource_specification=specification, **kwargs)  # type: ignore[no-any-return]

    def ranks(self, seconds: float, exit_code: int = 0) -> str:
        """The command line of a program with a rank on each node, which reports overlaps."""
        script = self.directory / "rank.sh"
        if not script.exists():
            script.write_text(RANK)
            script.chmod(0o755)
        return f"$PARSL_MPI_PREFIX '{script}' '{self.directory}' {seconds} {exit_code}"

    def overlaps(self) -> list[str]:
        """The nodes that two programs used at the same time."""
        return sorted(path.name for path in self.directory.glob("*.overlap"))

    def close(self) -> None:
        self.kernel.cleanup()
