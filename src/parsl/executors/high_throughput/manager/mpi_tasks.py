"""What an MPI task gets: nodes of its own, and an environment with their names and how to start programs."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from contextlib import suppress

from msgspec.structs import asdict

from parsl.executors.high_throughput.manager.state import NodePool
from parsl.executors.high_throughput.mpi_prefix_composer import compose_all
from parsl.executors.high_throughput.wire.protocol import Resources, Task, Work

logger = logging.getLogger("parsl.htex.manager")

#: The longest list of nodes that goes into command lines, in bytes. Five variables then contain the list, and
#: all of them, with the task, have to fit into one packet to the worker (see worker_channel.PACKET_LIMIT).
LIST_LIMIT = 8 * 1024
#: The longest list of nodes that gets a variable of its own, in bytes.
VARIABLE_LIMIT = 48 * 1024
#: Paths go into command lines without quotes: a shell would split or expand other characters.
_PLAIN_PATH = re.compile(r"[\w./+:@%=,-]+", re.ASCII)
_ONE_RANK = Resources(1, 1, 1)


def _list_bytes(nodes: Sequence[str]) -> int:
    return sum(len(name.encode()) + 1 for name in nodes)


def needs_host_file(nodes: Sequence[str]) -> bool:
    """Return whether the list of a task's nodes is too long for command lines."""
    return _list_bytes(nodes) > LIST_LIMIT


def task_environment(
    launcher: str, resources: Resources, nodes: Sequence[str], host_file: str | None
) -> dict[str, str]:
    """Compose a task's variables, without the list of nodes where that is too long for any variable."""
    variables = {
        "PARSL_NUM_NODES": str(resources.num_nodes),
        "PARSL_RANKS_PER_NODE": str(resources.ranks_per_node),
        "PARSL_NUM_RANKS": str(resources.num_ranks),
        **compose_all(launcher, asdict(resources), nodes, host_file),
    }
    if _list_bytes(nodes) <= VARIABLE_LIMIT:
        variables["PARSL_MPI_NODELIST"] = ",".join(nodes)
    if host_file:
        variables["PARSL_MPI_HOSTFILE"] = host_file
    if resources.launcher_options:
        variables["PARSL_LAUNCHER_OPTIONS"] = resources.launcher_options
    return variables


class HostFiles:
    """The host files of one manager's tasks, with one node per line. Owned by the manager's loop."""

    def __init__(self, directory: str) -> None:
        self._directory = os.path.abspath(directory)
        self._temporary: str | None = None
        self._files: dict[int, str] = {}

    def __repr__(self) -> str:
        return f"<HostFiles files={len(self._files)}>"

    def write(self, task_id: int, nodes: Sequence[str]) -> str | None:
        """Return the path of a new file for a task; None if it cannot be written."""
        try:
            path = self._files[task_id] = f"{self._open_directory()}/hosts-{task_id}"
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(f"{node}\n" for node in nodes)
        except OSError as error:
            logger.warning("cannot write the host file of task %d; it gets a list: %s", task_id, error)
            return None
        return path

    def remove(self, task_id: int) -> None:
        path = self._files.pop(task_id, None)
        if path is not None:
            with suppress(OSError):  # the run directory may be removed already
                os.unlink(path)

    def close(self) -> None:
        for task_id in list(self._files):
            self.remove(task_id)
        if self._temporary is not None:
            with suppress(OSError):
                os.rmdir(self._temporary)

    def _open_directory(self) -> str:
        if _PLAIN_PATH.fullmatch(self._directory):
            os.makedirs(self._directory, exist_ok=True)
            return self._directory
        if self._temporary is None:
            from tempfile import mkdtemp

            self._temporary = mkdtemp(prefix="parsl-hosts-")
        return self._temporary


class MpiTasks:
    """One manager's MPI tasks, which start programs on nodes of their own. Owned by the manager's loop."""

    def __init__(self, launcher: str, nodes: Sequence[str], directory: str) -> None:
        self.nodes = NodePool(nodes)
        #: For lists of nodes that are too long for the environment.
        self.host_files = HostFiles(directory)
        self._launcher = launcher

    def __repr__(self) -> str:
        return f"<MpiTasks {self.nodes!r} {self.host_files!r}>"

    def make_work(self, task: Task, body: bytes | None) -> Work:
        nodes = self.nodes.of(task.id)
        logger.info("task %d has %d nodes: %s", task.id, len(nodes), ",".join(nodes[:100]))
        file = self.host_files.write(task.id, nodes) if needs_host_file(nodes) else None
        environment = task_environment(self._launcher, task.resources or _ONE_RANK, nodes, file)
        return Work(task, body, environment=environment)
