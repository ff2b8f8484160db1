"""The provider for HTCondor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.launchers.base import Launcher
from parsl.launchers.launchers import SingleNodeLauncher
from parsl.providers.base import accepts_retired_provider_arguments
from parsl.providers.batch.job_script import fill_template, template_next_to
from parsl.providers.cluster_provider import ClusterProvider
from parsl.providers.condor.dialect import CondorDialect
from parsl.providers.job_files import JobFiles

_MB_PER_GB = 1024


def _check_environment(owner: object, name: str, value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        validate.wrong_type(owner, name, value, "a dict of strings, or None")
    for key, text in value.items():
        validate.text(owner, f"{name} (a name)", key, allow_empty=False, one_line=True)
        validate.text(owner, f"{name}[{key!r}]", text, one_line=True)
    return dict(value)


def _check_file(owner: object, name: str, value: object) -> str:
    path = validate.text(owner, name, value, allow_empty=False, one_line=True)
    if "," in path:
        validate.wrong_value(owner, name, value, "a path without a comma, which separates paths")
    return path


class CondorProvider(RepresentationMixin, ClusterProvider):
    """Runs each block as a job of HTCondor, in the vanilla universe.

    Args:
        nodes_per_block: Nodes of one block (``machine_count``).
        cores_per_slot: Cores to request; this limits the workers.
        mem_per_slot: Memory to request, in GB.
        init_blocks: Blocks to start with.
        min_blocks: Blocks to keep when there are no tasks.
        max_blocks: The maximum number of blocks.
        parallelism: Slots to provide for each task, from 0 to 1.
        environment: Environment variables of the job.
        project: The project to charge.
        scheduler_options: Further lines for the submit description.
        transfer_input_files: Files that the job needs in addition to its script.
        walltime: The time limit of a block: ``HH:MM:SS``, ``MM:SS`` or seconds.
        worker_init: Shell text to run first, such as the activation of an environment.
        launcher: Starts the managers on the nodes.
        requirements: Requirements on the machine, as an expression of HTCondor.
        cmd_timeout: How long a command of the scheduler may take, in seconds.
        cmd_chunk_size: How many jobs to query, or to cancel, with one command.
    """

    cores_per_slot = validate.Integer(low=1, optional=True)
    mem_per_slot = validate.Number(above=0, optional=True)
    environment = validate.Custom(_check_environment)
    project = validate.Text(one_line=True)
    transfer_input_files = validate.ListOf(str, check=_check_file)
    requirements = validate.Text(one_line=True)
    cmd_chunk_size = validate.Integer(low=1)

    dialect = CondorDialect()
    redirects_output = False

    @accepts_retired_provider_arguments
    def __init__(
        self,
        nodes_per_block: int = 1,
        cores_per_slot: int | None = None,
        mem_per_slot: float | None = None,
        init_blocks: int = 1,
        min_blocks: int = 0,
        max_blocks: int = 1,
        parallelism: float = 1,
        environment: dict[str, str] | None = None,
        project: str = "",
        scheduler_options: str = "",
        transfer_input_files: Sequence[str] = (),
        walltime: str = "00:10:00",
        worker_init: str = "",
        launcher: Launcher = SingleNodeLauncher(),
        requirements: str = "",
        cmd_timeout: float = 60,
        cmd_chunk_size: int = 100,
    ) -> None:
        self._configure("condor", locals())
        if self.cores_per_slot is not None:
            self.cores_per_node = self.cores_per_slot
        if self.mem_per_slot is not None:
            self.mem_per_node = self.mem_per_slot

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.condor") -> str:
        return super().submit(command, tasks_per_node, job_name)

    @property
    def status_batch_limit(self) -> int:
        return self.cmd_chunk_size

    @property
    def cancel_batch_limit(self) -> int:
        return self.cmd_chunk_size

    def _job_texts(self, files: JobFiles, command: str, tasks_per_node: int) -> dict[str, str]:
        description = fill_template(template_next_to(__file__, "job.submit"), self._description(files))
        return {".sh": self._script_text(files, command, tasks_per_node), ".submit": description}

    def _description(self, files: JobFiles) -> Mapping[str, str | None]:
        memory_gb = self.mem_per_node
        return {
            "name": files.name,
            "arguments": _double_quoted(_single_quoted(f"{files.name}.sh")),
            "input_files": ",".join([files.script_path, *self.transfer_input_files]),
            "stdout": files.stdout_path,
            "stderr": files.stderr_path,
            "log": f"{files.stem}.log",
            "nodes": str(self.nodes_per_block),
            "cores": None if self.cores_per_node is None else str(self.cores_per_node),
            "memory_mb": None if memory_gb is None else str(round(memory_gb * _MB_PER_GB)),
            "requirements": self.requirements or None,
            "project": _double_quoted(self.project) if self.project else None,
            "environment": self._environment_text(files),
            "walltime_s": str(self.walltime_s),
            "scheduler_options": self.scheduler_options,
        }

    def _environment_text(self, files: JobFiles) -> str:
        variables = {**self.environment, "JOBNAME": files.name}
        return _double_quoted(" ".join(f"{name}={_single_quoted(text)}" for name, text in variables.items()))


def _single_quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _double_quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
