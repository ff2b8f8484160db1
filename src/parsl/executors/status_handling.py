"""Executors whose workers run in blocks: batch jobs asked for from a provider."""

from __future__ import annotations

import logging
import math
import time

from parsl import validate
from parsl.executors.base import ParslExecutor
from parsl.executors.blocks.error_handlers import noop_error_handler, simple_error_handler
from parsl.executors.blocks.keeper import BlockKeeper
from parsl.executors.blocks.views import EndedBlocks
from parsl.executors.errors import BadStateException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future
    from typing import Any

    from parsl.executors.blocks.views import BlockActivity, BlockView, KnownJob
    from parsl.providers.base import ExecutionProvider
    from parsl.vocabulary.job_states import JobStatus

    BlockErrorHandler = Callable[["BlockProviderExecutor", dict[str, JobStatus]], None]

logger = logging.getLogger(__name__)

#: When the scheduler has said of every block for so long that it can never run, the tasks fail; in seconds.
NEVER_RUN_PATIENCE_S = 120.0


class BlockProviderExecutor(ParslExecutor):
    """An executor that runs its tasks in blocks, and owns them. May be called from any thread.

    A subclass says how a block is started (:meth:`launch_command`), what its blocks are doing
    (:meth:`block_activity`), how much there is to do (:meth:`outstanding`, :attr:`workers_per_node`,
    :attr:`tasks`). It calls :meth:`start_blocks` when it has started and :meth:`close_blocks` before it
    shuts down, begins ``submit`` with :meth:`raise_if_bad`, and passes on news: :meth:`note_connected`,
    :meth:`note_manager_lost`, :meth:`note_outstanding`.

    Args:
        provider: Where blocks come from; None if somebody else starts the workers.
        block_error_handler: Called with this executor and the status of all blocks when these have been
            looked at. True for :func:`~parsl.jobs.error_handlers.simple_error_handler`, False for none.

    Raises:
        ParameterError: ``block_error_handler`` is neither a bool nor callable.
    """

    #: Gives the time of everything about blocks, in seconds.
    _clock: Callable[[], float] = staticmethod(time.monotonic)

    def __init__(
        self, *, provider: ExecutionProvider | None, block_error_handler: bool | BlockErrorHandler
    ) -> None:
        super().__init__()
        self._provider = provider
        if isinstance(block_error_handler, bool):
            block_error_handler = simple_error_handler if block_error_handler else noop_error_handler
        self.block_error_handler: BlockErrorHandler = validate.callable_(
            self, "block_error_handler", block_error_handler
        )
        #: Set by the kernel's poller: makes it look at this executor's blocks at once.
        self.wake_poller: Callable[[], None] = _nobody_to_wake
        #: With more outstanding tasks than this, more blocks are wanted; set by the kernel's poller.
        self.wake_above_outstanding: float = math.inf
        #: Does everything about blocks; None without a provider.
        self.block_keeper = None if provider is None else BlockKeeper(self, provider, self._clock)
        self._bad_because: BaseException | None = None
        self._tasks: dict[object, Future[Any]] = {}

    # What a subclass has to say

    def launch_command(self, block_id: str) -> str:
        """The shell command that starts the managers of a block, and runs as long as they do."""
        raise NotImplementedError(f"{type(self).__name__} does not say how its blocks are launched")

    def block_activity(self) -> Mapping[str, BlockActivity] | None:
        """What the connected managers are doing now, from what is known already: it must not wait.

        Returns:
            By block id, those blocks with at least one manager; None if nobody can tell.
        """
        return None

    def outstanding(self) -> int:
        """How many tasks have been submitted and have not finished."""
        return len(self.tasks)

    def outstanding_without_time(self) -> int:
        """How many of these wait for another block, as the running ones end too soon for them."""
        return 0

    @property
    def workers_per_node(self) -> int | float | None:
        """How many tasks a node runs at once; None, 0 or infinity while nobody knows."""
        raise NotImplementedError(f"{type(self).__name__} does not say how many workers a node has")

    @property
    def tasks(self) -> dict[object, Future[Any]]:
        """The futures of the tasks that have not finished."""
        return self._tasks

    def fail_outstanding(self, exception: BaseException) -> None:
        """Fail every task that has not finished."""
        from concurrent.futures import InvalidStateError

        for future in list(self.tasks.values()):
            try:
                future.set_exception(exception)
            except InvalidStateError:
                pass  # it has just finished

    def prepare_scale_in(self, block_ids: list[str]) -> list[str]:
        """Stop giving tasks to blocks that the strategy found idle, just before they are cancelled.

        Returns:
            Those that are still idle: the others have been given a task since, and stay.
        """
        return block_ids

    # What is known

    @property
    def provider(self) -> ExecutionProvider | None:
        """Where blocks come from; None if somebody else starts the workers."""
        return self._provider

    @property
    def status_polling_interval(self) -> float:
        """How often the scheduler is asked about jobs when there is no news, in seconds."""
        return 0.0 if self._provider is None else self._provider.status_polling_interval

    @property
    def workers_per_block(self) -> int | None:
        """How many tasks a block runs at once; None while nobody knows."""
        per_node = self.workers_per_node
        if self._provider is None or not per_node or math.isinf(per_node):
            return None
        return max(1, int(per_node * self._provider.nodes_per_block))

    @property
    def blocks_to_job_id(self) -> dict[str, object]:
        """The scheduler's job id of each block that has been submitted; a copy."""
        return self.block_keeper.blocks_to_job_id() if self.block_keeper else {}

    @property
    def job_ids_to_block(self) -> dict[object, str]:
        """The block of each job; a copy."""
        return {job_id: block_id for block_id, job_id in self.blocks_to_job_id.items()}

    @property
    def status_facade(self) -> dict[str, JobStatus]:
        """What is known about every block there ever was, oldest first; asks nobody."""
        return self.block_keeper.statuses() if self.block_keeper else {}

    def known_job(self, block_id: str) -> KnownJob | None:
        """What is known about the job of a block; None if there is no such job. Asks nobody."""
        return self.block_keeper.known_job(block_id) if self.block_keeper else None

    def status(self) -> dict[str, JobStatus]:
        """Ask the scheduler now, and say what is known about every block there ever was."""
        if self.block_keeper:
            self.block_keeper.query()
        return self.status_facade

    def block_views(self) -> tuple[BlockView, ...]:
        """The blocks that are not known to have ended, as the scaling strategy sees them."""
        return self.block_keeper.views() if self.block_keeper else ()

    def ended_blocks(self) -> EndedBlocks:
        """How blocks have been ending."""
        return self.block_keeper.ended() if self.block_keeper else EndedBlocks()

    # Starting and giving back blocks

    def start_blocks(self) -> list[str]:
        """Ask for the first blocks, ``init_blocks`` of them; once, as soon as they can connect.

        This does not wait for a scheduler: unless the provider is quick, they are submitted in the
        background.

        Returns:
            Their ids. One that could not be submitted has failed; that is no error here.
        """
        if self._provider is None:
            return []
        self._provider.on_job_end = self.note_job_end
        return self.scale_out_facade(self._provider.init_blocks)

    def scale_out_facade(self, n: int) -> list[str]:
        """Ask for ``n`` more blocks, whatever the provider's ``max_blocks``.

        Returns:
            The ids of the new blocks; none once the executor has failed for good or is closing.
        """
        return self.block_keeper.scale_out(n) if self.block_keeper else []

    def scale_out_up_to(self, n: int, max_live: int) -> list[str]:
        """Ask for ``n`` more blocks, but no more than make ``max_live``; else as above."""
        return self.block_keeper.scale_out(n, max_live) if self.block_keeper else []

    def scale_in(self, blocks: int, max_idletime: float | None = None) -> list[str]:
        """Give back so many blocks, idle ones first.

        Args:
            blocks: How many.
            max_idletime: Only give back those that have been idle for so long, in seconds; None to give
                back busy ones too if it has to be.

        Returns:
            The ids of the blocks that are given back.
        """
        if self.block_keeper is None:
            return []
        chosen = self.block_keeper.choose_leaving(blocks, max_idletime)
        return self.scale_in_blocks(chosen) if max_idletime is None else self.scale_in_idle(chosen)

    def scale_in_facade(self, n: int, max_idletime: float | None = None) -> list[str]:
        """Give back ``n`` blocks; see :meth:`scale_in`."""
        return self.scale_in(n, max_idletime)

    def scale_in_idle(self, block_ids: Iterable[str]) -> list[str]:
        """Give back those of these blocks that are still idle; see :meth:`prepare_scale_in`."""
        return self.scale_in_blocks(self.prepare_scale_in(list(block_ids)))

    def scale_in_blocks(self, block_ids: Iterable[str]) -> list[str]:
        """Give back exactly these blocks, whatever they are doing.

        Returns:
            Those of them that had not ended and were not being given back already.
        """
        return self.block_keeper.scale_in(block_ids) if self.block_keeper else []

    def start_no_more_blocks(self) -> None:
        """Start no other block, ever; returns at once, even while blocks are being submitted."""
        if self.block_keeper:
            self.block_keeper.close()

    def close_waiting_blocks(self) -> list[str]:
        """Give back all blocks that have not begun, and start no other, ever.

        This comes before anything at the end that makes nodes free: a job that waits for them would begin
        on them.

        Returns:
            The ids of the blocks that are given back by this.
        """
        if self.block_keeper is None:
            return []
        self.start_no_more_blocks()
        return self.block_keeper.scale_in_waiting()

    def close_blocks(self) -> list[str]:
        """Give back all blocks, waiting ones first, and start no other, ever.

        Returns:
            The ids of the blocks that are given back by this.
        """
        if self.block_keeper is None:
            return []
        self.start_no_more_blocks()
        return self.block_keeper.scale_in_all()

    def wait_for_submissions(self, timeout_s: float) -> None:
        """After the blocks were closed: wait until one that is just being submitted has been cancelled."""
        if self.block_keeper and not self.block_keeper.wait_for_submissions(timeout_s):
            logger.warning(
                "Executor %s: a submission goes on after %g s; its job is cancelled when it returns",
                self.label,
                timeout_s,
            )

    # News

    def poll_facade(self) -> None:
        """Bring what is known up to date: by the managers, and by the scheduler when that is due."""
        if self.block_keeper:
            self.block_keeper.poll()

    def poll_due_in_s(self) -> float:
        """In how many seconds to call :meth:`poll_facade` again, if nothing happens."""
        return self.block_keeper.due_in_s() if self.block_keeper else math.inf

    def note_blocks_observed(self, ended: Sequence[str]) -> None:
        """Note that the scheduler has been asked; for subclasses.

        Args:
            ended: The blocks of which it is known only now that their jobs have ended.
        """

    def note_submitted(self, job_id: object) -> None:
        """Note that the scheduler has taken a block's job; for subclasses."""

    def note_polled(self) -> None:
        """Note that the blocks have been looked after, as is done again and again; for subclasses."""

    def note_job_end(self, job_id: object) -> None:
        """Note that a job is known to have ended: the provider is asked how, at once."""
        if self.block_keeper:
            self.block_keeper.note_job_end(job_id)

    def note_connected(self, block_id: str) -> None:
        """Note that a manager of a block has connected."""
        if self.block_keeper:
            self.block_keeper.note_connected(block_id)
        self.wake_poller()

    def note_manager_lost(self, block_id: str) -> None:
        """Note that a manager of a block has gone: perhaps the block's job has ended."""
        self.note_trouble()

    def note_trouble(self) -> None:
        """Note that a task was lost with its worker or its manager: perhaps the block's job is ending."""
        if self.block_keeper:
            self.block_keeper.note_trouble()
        self.wake_poller()

    def note_outstanding(self, outstanding: int) -> None:
        """Wake the poller if there are now more tasks than its last decision reckoned with."""
        if outstanding > self.wake_above_outstanding:
            self.wake_above_outstanding = math.inf
            self.wake_poller()

    # Failing for good

    def handle_errors(self, status: dict[str, JobStatus]) -> None:
        """Let the block error handler judge the blocks; nothing once the executor has failed for good.

        What the scheduler says to be hopeless needs no judgement, but for users who want none at all.
        """
        if self.bad_state_is_set:
            return
        if self.block_keeper and not self.keeps_trying:
            hopeless = self._hopeless(self.block_keeper)
            if hopeless is not None:
                self.set_bad_state_and_fail_all(hopeless)
                return
            self.block_keeper.tell_refused()
        self.block_error_handler(self, status)

    @property
    def keeps_trying(self) -> bool:
        """Whether it never gives up, whatever becomes of its blocks: there is no block error handler."""
        return self.block_error_handler is noop_error_handler

    def _hopeless(self, keeper: BlockKeeper) -> Exception | None:
        """Why no block can ever run, if the scheduler says so."""
        if keeper.is_refused():
            return keeper.refusal
        for_s, statuses = keeper.never_run_for_s()
        if for_s < NEVER_RUN_PATIENCE_S or not self.outstanding():
            return None
        from parsl.vocabulary.job_errors import JobsNeverRunError

        said = "\n".join(f"Block {block_id}: {status.message}" for block_id, status in statuses.items())
        return JobsNeverRunError(
            f"The scheduler has said for {for_s:.0f} s of every block that it can never run. Change what the "
            f"provider asks for (nodes, walltime, queue, options):\n{said}"
        )

    @property
    def bad_state_is_set(self) -> bool:
        """Whether the executor has failed for good."""
        return self._bad_because is not None

    @property
    def executor_exception(self) -> BaseException | None:
        """Why the executor has failed for good; None if it has not."""
        return self._bad_because

    def raise_if_bad(self) -> None:
        """Refuse a task once the executor has failed for good.

        Raises:
            BadStateException: It has.
        """
        if self._bad_because is not None:
            raise BadStateException(self, self._bad_because)

    def set_bad_state_and_fail_all(self, exception: BaseException) -> None:
        """Fail for good: every outstanding task, and every later one. All blocks are given back.

        Only the first exception counts; calling this again fails what has come since.

        Args:
            exception: Why; it becomes part of the :class:`BadStateException` that the tasks fail with.
        """
        if self._bad_because is None:
            self._bad_because = exception
            self.wake_above_outstanding = 0
            logger.error("Executor %s has failed for good: %s", self.label, exception)
        self.fail_outstanding(BadStateException(self, self._bad_because))
        self.close_blocks()


def _nobody_to_wake() -> None:
    pass
