"""The interface of providers, for those who write one."""

from __future__ import annotations

import logging
from abc import ABCMeta, abstractmethod

from parsl import validate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from parsl.vocabulary.job_states import JobStatus

logger = logging.getLogger(__name__)


class ExecutionProvider(metaclass=ABCMeta):
    """Asks a scheduler for blocks: jobs of one or more nodes that run an executor's managers.

    An executor calls the methods from one thread at a time (but for ``has_changed``, which does not wait for
    the others), not always from the same one. No method may wait longer than the scheduler's commands take.

    A subclass has to set ``nodes_per_block``, ``init_blocks``, ``min_blocks``, ``max_blocks`` and
    ``parallelism``, best with :meth:`set_block_limits`.
    """

    #: Nodes of one block.
    nodes_per_block: int
    #: Blocks to start with.
    init_blocks: int
    #: Blocks that are kept even when there is nothing to do.
    min_blocks: int
    #: Blocks that there may be at most.
    max_blocks: int
    #: How many slots to have for each task that waits or runs, 0 to 1: with 0 one block does it all.
    parallelism: float

    #: Directory for job scripts and the output of jobs. The executor sets it before it submits.
    script_dir: str | None = None
    #: Cores and memory (GB) to have on each node. The executor sets them if it knows them.
    cores_per_node: int | None = None
    mem_per_node: float | None = None
    #: Whether ``submit`` takes no time worth mentioning. If not, it is called in the background.
    submits_at_once: bool = False
    #: Called with the id of a job as soon as it has ended, by providers that notice by themselves,
    #: from a thread of theirs. It can come before ``submit`` has returned the id. The executor sets it.
    on_job_end: Callable[[str], None] | None = None

    def __init__(self) -> None:  # noqa: B027 - nothing to do, and not abstract
        pass

    @abstractmethod
    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.auto") -> object:
        """Ask for one block, and return at once.

        Args:
            command: What to run on the nodes, as a command line for bash.
            tasks_per_node: How many copies of it to start on each node.
            job_name: A name for the job, for humans.

        Returns:
            The id of the job, which is hashable.

        Raises:
            SubmitException: The scheduler did not take the job.
            ScriptPathError: The job script could not be written.
        """

    @abstractmethod
    def status(self, job_ids: Sequence[object]) -> Sequence[JobStatus]:
        """Say what jobs are doing.

        Args:
            job_ids: Ids that ``submit`` has returned.

        Returns:
            A status for each id, in the same order: UNKNOWN when the scheduler gave no usable
            answer, MISSING when it does not know the job.
        """

    @abstractmethod
    def cancel(self, job_ids: Sequence[object]) -> Sequence[bool]:
        """End jobs, whether they are queued or running. Cancelling one twice does no harm.

        Args:
            job_ids: Ids that ``submit`` has returned.

        Returns:
            For each id, in the same order, whether the scheduler has accepted it.
        """

    def cancel_commands(self, job_ids: Sequence[object]) -> list[list[str]]:
        """Return commands that cancel jobs, for another process to run should this one be killed.

        Args:
            job_ids: Ids that ``submit`` has returned.

        Returns:
            Programs with their arguments, without a shell; none if there are none for it.
        """
        return []

    def has_changed(self, job_ids: Sequence[object]) -> bool:
        """Say, without asking the scheduler, whether jobs have begun or ended since this was asked last.

        A provider that can see it, from files of the job for example, makes the executor ask at once.

        Args:
            job_ids: Jobs that are waited for.
        """
        return False

    @property
    @abstractmethod
    def label(self) -> str:
        """A short name of the provider, for logs."""

    @property
    @abstractmethod
    def status_polling_interval(self) -> int:
        """How long a status stays good enough not to ask again, in seconds."""

    def set_block_limits(
        self,
        *,
        nodes_per_block: int,
        init_blocks: int,
        min_blocks: int,
        max_blocks: int,
        parallelism: float,
    ) -> None:
        """Check the parameters that all providers share, and keep them as attributes.

        Args:
            nodes_per_block: Nodes of one block, at least 1.
            init_blocks: Blocks to start with, at least 0.
            min_blocks: Blocks that are kept, at least 0.
            max_blocks: Blocks that there may be, at least ``min_blocks``.
            parallelism: Slots for each task, from 0 to 1.

        Raises:
            ParameterError: One of them is wrong; the message names it and says what is allowed.
        """
        self.nodes_per_block = validate.integer(self, "nodes_per_block", nodes_per_block, low=1)
        self.init_blocks = validate.integer(self, "init_blocks", init_blocks, low=0)
        self.min_blocks = validate.integer(self, "min_blocks", min_blocks, low=0)
        self.max_blocks = validate.integer(self, "max_blocks", max_blocks, low=0)
        self.parallelism = validate.number(self, "parallelism", parallelism, low=0, high=1)
        if self.min_blocks > self.max_blocks:
            validate.wrong_value(self, "min_blocks", min_blocks, f"at most max_blocks, which is {max_blocks}")
        if self.init_blocks > self.max_blocks:
            logger.warning(
                "%s: init_blocks is %d, and max_blocks only %d: %d blocks are started, and none is added",
                type(self).__name__,
                self.init_blocks,
                self.max_blocks,
                self.init_blocks,
            )
