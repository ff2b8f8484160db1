"""The interface of providers, for authors of new ones, and what all providers share."""

from __future__ import annotations

import logging
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from parsl import validate
from parsl.common import pass_on_upstream_names
from parsl.common.parameter_names import Retired, accepts_retired
from parsl.providers.job_files import JobFiles
from parsl.vocabulary.job_states import JobStatus

logger = logging.getLogger(__name__)


class ExecutionProvider(metaclass=ABCMeta):
    """Submits, queries and cancels blocks: jobs of one or more nodes that run an executor's managers.

    An executor calls the methods from one thread at a time, though not always from the same thread. The
    exception is ``has_changed``, which may be called at any time. No method may wait longer than the
    scheduler's commands take.

    A subclass has to set the block limits, preferably with :meth:`set_block_limits`.
    """

    #: Nodes of one block.
    nodes_per_block = validate.Integer(low=1)
    #: Blocks to start with.
    init_blocks = validate.Integer(low=0)
    #: Blocks to keep when there are no tasks.
    min_blocks = validate.Integer(low=0)
    #: The maximum number of blocks.
    max_blocks = validate.Integer(low=0)
    #: Slots to provide for each waiting or running task, from 0 to 1: with 0, one block runs all tasks.
    parallelism = validate.Number(low=0, high=1)

    #: What is known about each job, by its id: ``job_id``, ``status``, the last status, and, as far as there
    #: are files, ``job_stdout_path`` and ``job_stderr_path``. For users; Parsl only writes here.
    resources: dict[Any, dict[str, Any]]

    #: Directory for job scripts and the output of jobs. The executor sets it before it submits.
    script_dir: str | None = None
    #: Cores and memory (GB) to request on each node. The executor sets them if it knows them.
    cores_per_node: int | None = None
    mem_per_node: float | None = None
    #: Whether nodes see the driver's files under the same paths. Where they do not, the command of a block
    #: carries all that a manager needs, keys included: the provider keeps it from others.
    shares_files: bool = True
    #: Whether ``submit`` takes negligible time. Otherwise the executor calls it in the background.
    submits_at_once: bool = False
    #: Called with the id of a job when the job has ended, by providers that notice it themselves, from a
    #: thread of their own. The call can precede the return of ``submit``. The executor sets it.
    on_job_end: Callable[[str], None] | None = None

    def prepare(self, run: str) -> None:  # noqa: B027 - most providers have nothing to prepare
        """Prepare for blocks; called at the start of an executor, before its first block.

        A provider whose service can refuse it checks here that it can submit: credentials, images, quotas.
        A program that uses a provider without an executor may leave this call out.

        Args:
            run: A name that no other executor of any run has, for the tags by which its resources are
                found: at most 40 small letters, digits and hyphens, the first one a letter.

        Raises:
            ConfigurationError: No block can be submitted; the message has the service's own words.
        """

    def close(self) -> None:  # noqa: B027 - most providers leave nothing behind
        """Give back whatever the executor's blocks have left behind; called at its end, perhaps twice.

        All blocks have been cancelled. One that was just being submitted may be cancelled later.
        """

    @abstractmethod
    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.auto") -> object:
        """Submit one block, and return without waiting for it to start.

        Args:
            command: The command line, for bash, to run on the nodes.
            tasks_per_node: How many copies of the command to start on each node.
            job_name: A name for the job, for users.

        Returns:
            The id of the job, which is hashable.

        Raises:
            SubmitException: The scheduler did not accept the job.
            ScriptPathError: The job script could not be written.
        """

    @abstractmethod
    def status(self, job_ids: Sequence[object]) -> Sequence[JobStatus]:
        """Query jobs.

        Args:
            job_ids: Ids that ``submit`` has returned.

        Returns:
            A status for each id, in the same order: UNKNOWN if the scheduler gave no usable answer,
            MISSING if it does not know the job.
        """

    @abstractmethod
    def cancel(self, job_ids: Sequence[object]) -> Sequence[bool]:
        """Cancel jobs, queued or running. Cancelling a job twice does no harm.

        Args:
            job_ids: Ids that ``submit`` has returned.

        Returns:
            For each id, in the same order, whether the scheduler has accepted the request.
        """

    def cancel_commands(self, job_ids: Sequence[object]) -> list[list[str]]:
        """Return commands that cancel jobs, for another process to run if this process is killed.

        Args:
            job_ids: Ids that ``submit`` has returned.

        Returns:
            Programs with their arguments, without a shell; an empty list if there are no such commands.
        """
        return []

    def cleanup_commands(self) -> list[list[str]]:
        """Return commands that end everything of the run, for another process to run if this one is killed.

        Called after :meth:`prepare`, before the first block, so that a block is also ended if this process
        is killed while it is being submitted.

        Returns:
            Programs with their arguments, without a shell; an empty list if jobs are only known by their ids.
        """
        return []

    @property
    def has_leftovers(self) -> bool:
        """Whether to call ``status`` from time to time though no job lives: something has to be ended."""
        return False

    def has_changed(self, job_ids: Sequence[object]) -> bool:
        """Return whether jobs have started or ended since the last call, without querying the scheduler.

        Overriding this method, for example to look at the jobs' files, makes the executor query the status
        of the jobs immediately.

        Args:
            job_ids: Jobs whose start or end the executor is waiting for.
        """
        return False

    @property
    @abstractmethod
    def label(self) -> str:
        """A short name of the provider, for logs."""

    @property
    @abstractmethod
    def status_polling_interval(self) -> int:
        """How long the executor may reuse a status before it queries again, in seconds."""

    def _note_job(self, job_id: object, files: JobFiles, status: JobStatus, **more: object) -> None:
        paths = {"job_stdout_path": files.stdout_path, "job_stderr_path": files.stderr_path}
        self.resources[job_id] = {"job_id": job_id, "status": status, **paths, **more}

    def _note_statuses(self, job_ids: Sequence[object], statuses: Sequence[JobStatus]) -> None:
        for job_id, status in zip(job_ids, statuses, strict=True):
            if job_id in self.resources:
                self.resources[job_id]["status"] = status

    def set_block_limits(
        self,
        *,
        nodes_per_block: int,
        init_blocks: int,
        min_blocks: int,
        max_blocks: int,
        parallelism: float,
    ) -> None:
        """Check the parameters that all providers share, and keep them as the attributes of these names.

        Raises:
            ParameterError: A value is not allowed.
        """
        validate.assign(self, locals())
        self._check_block_limits()

    def _check_block_limits(self) -> None:
        if self.min_blocks > self.max_blocks:
            expected = f"at most max_blocks, which is {self.max_blocks}"
            validate.wrong_value(self, "min_blocks", self.min_blocks, expected)
        if self.init_blocks > self.max_blocks:
            logger.warning(
                "%s: init_blocks is %d, but max_blocks is only %d: %d blocks start, and no others are added",
                type(self).__name__,
                self.init_blocks,
                self.max_blocks,
                self.init_blocks,
            )


def _local_channel(channel: object) -> None:
    from parsl.channels import LocalChannel

    if channel is not None and not isinstance(channel, LocalChannel):
        raise ValueError("commands run on this host now; run the script on a login node")


_RETIRED = {
    "channel": Retired(
        "leave it out, and the import of LocalChannel; commands run on this host", convert=_local_channel
    ),
    "move_files": Retired("leave it out; job scripts are written where the scheduler can read them"),
}
accepts_retired_provider_arguments = accepts_retired(**_RETIRED)
accepts_retired_local_arguments = accepts_retired(
    **_RETIRED, walltime=Retired("leave it out; a local block has no time limit, and ends with the run")
)


pass_on_upstream_names(__name__)
