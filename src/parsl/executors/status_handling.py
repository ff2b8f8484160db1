"""Executors whose workers run in blocks: batch jobs that a provider submits."""

from __future__ import annotations

import logging
import math
import os
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import datetime
from typing import Any, NoReturn

from parsl import validate
from parsl.common import pass_on_upstream_names
from parsl.errors import ConfigurationError
from parsl.executors.base import ParslExecutor
from parsl.executors.blocks.block_set import BlockSet
from parsl.executors.blocks.error_handlers import noop_error_handler, simple_error_handler
from parsl.executors.blocks.views import BlockActivity
from parsl.executors.errors import BadStateException
from parsl.executors.monitoring_messages import MessageObserver, block_message
from parsl.providers.base import ExecutionProvider
from parsl.vocabulary.job_states import JobStatus
from parsl.vocabulary.message_type import MessageType
from parsl.vocabulary.run_observer import NO_OBSERVER

logger = logging.getLogger(__name__)

BlockErrorHandler = Callable[["BlockProviderExecutor", dict[str, JobStatus]], None]


def _unique_name(run_id: str | None, label: str) -> str:
    """Return a name for the resources of one executor of one run, which services accept as a tag."""
    plain = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")[:16].rstrip("-")
    return "-".join(("parsl", (run_id or "alone")[:8], *([plain] if plain else []), os.urandom(3).hex()))


class BlockProviderExecutor(ParslExecutor):
    """An executor that runs its tasks in blocks, and owns them. May be called from any thread.

    A subclass defines how a block is started (:meth:`launch_command`) and how many workers a node has
    (:attr:`workers_per_node`). It may report what its blocks are doing (:meth:`block_activity`), keep its
    tasks elsewhere than in :attr:`tasks`, and override the methods up to :meth:`prepare_scale_in`.

    It calls ``blocks.open()`` when managers can connect and ``blocks.cancel_all()`` when it shuts down,
    begins ``submit`` with :meth:`raise_if_bad` and ends it with ``blocks.tasks_added(outstanding)``, and
    reports ``blocks.manager_connected(block_id)`` and ``blocks.process_lost()``. The first blocks are
    submitted by the kernel's poller, or by a program that has no kernel.

    Args:
        provider: Where blocks come from; None if the workers are started by other means.
        block_error_handler: Called with this executor and the status of all blocks when these may have
            changed. True for :func:`~parsl.jobs.error_handlers.simple_error_handler`, False for none.
        clock: Returns the time of everything about blocks, in seconds.

    Attributes:
        blocks: Does everything about blocks: submits, follows and cancels them.

    Raises:
        ParameterError: ``block_error_handler`` is neither a bool nor callable.
    """

    #: Whether workers read files of the driver, such as keys, under the driver's paths.
    needs_shared_files: bool = True

    def __init__(
        self,
        *,
        provider: ExecutionProvider | None,
        block_error_handler: bool | BlockErrorHandler,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._provider = provider
        if isinstance(block_error_handler, bool):
            block_error_handler = simple_error_handler if block_error_handler else noop_error_handler
        self.block_error_handler: BlockErrorHandler = validate.callable_(
            self, "block_error_handler", block_error_handler
        )
        self._clock = clock
        self._forget_blocks()

    def _forget_blocks(self) -> None:
        self.blocks = BlockSet(self, self._provider, self._clock)
        self._bad_because: BaseException | None = None
        self._tasks: dict[object, Future[Any]] = {}

    def prepare_restart(self) -> None:
        """Forget the blocks, tasks and failure of the run that has ended.

        Raises:
            ConfigurationError: That run has not ended.
        """
        if self.blocks.is_running:
            self._refuse_restart()
        self._forget_blocks()

    def _refuse_restart(self) -> NoReturn:
        raise ConfigurationError(
            f"{type(self).__name__} {self.label!r} is in use by the run in {self.run_dir}, and cannot serve "
            "another one at the same time. End that run first, with parsl.dfk().cleanup() or at the end of a "
            "`with parsl.load(...)` block, or create another executor."
        )

    def observe_for_program(self) -> None:
        """Send monitoring messages to a program that has assigned ``monitoring_messages``, without a kernel.

        A subclass calls this at the beginning of its start.
        """
        if self.observer is NO_OBSERVER or isinstance(self.observer, MessageObserver):
            messages = self.monitoring_messages
            self.observer = NO_OBSERVER if messages is None else MessageObserver(messages, self.run_id)

    def create_monitoring_info(self, status: Mapping[str, JobStatus]) -> list[dict[str, Any]]:
        """Return rows of the table ``block`` of a monitoring database.

        Args:
            status: The status of blocks, by their ids.
        """
        now, jobs = datetime.now(), self.blocks_to_job_id
        return [
            block_message(self.run_id, self.label, block, jobs.get(block), each.status_name, now)
            for block, each in status.items()
        ]

    def send_monitoring_info(self, status: Mapping[str, JobStatus]) -> None:
        """Put such rows into the queue of monitoring messages, if there is one.

        Changes of blocks arrive there without this: it is for programs that call it.

        Args:
            status: The status of blocks, by their ids.
        """
        if self.monitoring_messages is not None:
            self.monitoring_messages.put((MessageType.BLOCK_INFO, self.create_monitoring_info(status)))

    def launch_command(self, block_id: str) -> str:
        """Return the shell command that starts the managers of a block, and runs as long as they do."""
        raise NotImplementedError(f"{type(self).__name__} does not define how its blocks are launched")

    def prepare_provider(self, directory: str) -> None:
        """Prepare the provider, if there is one, for blocks whose scripts are in a folder of this directory.

        A subclass calls this in its start, before anything else is left running if it fails.

        Raises:
            ConfigurationError: The provider cannot submit blocks, or not for this executor.
        """
        provider = self._provider
        if provider is None:
            return
        if self.needs_shared_files and not provider.shares_files:
            raise ConfigurationError(
                f"{type(self).__name__} {self.label!r}: its workers read files of the driver, and nodes of "
                f"{type(provider).__name__} do not see these. Use a HighThroughputExecutor with this "
                "provider, or this executor where nodes share a file system with the driver"
            )
        provider.script_dir = os.path.join(directory, "submit_scripts")
        os.makedirs(provider.script_dir, mode=0o700, exist_ok=True)
        provider.prepare(_unique_name(self.run_id, self.label))

    @property
    def workers_per_node(self) -> int | float | None:
        """How many tasks a node runs at once; None, 0 or infinity while that is unknown."""
        raise NotImplementedError(f"{type(self).__name__} does not define how many workers a node has")

    @property
    def workers_per_block(self) -> int | None:
        """How many tasks a block runs at once; None while that is unknown."""
        per_node = self.workers_per_node
        if self._provider is None or not per_node or math.isinf(per_node):
            return None
        return max(1, int(per_node * self._provider.nodes_per_block))

    def block_activity(self) -> Mapping[str, BlockActivity] | None:
        """Return what the connected managers are doing, without waiting for anything.

        Returns:
            By block id, the blocks with at least one manager; None if the executor does not know.
        """
        return None

    def current_slots(self) -> int | None:
        """Return the number of workers of the connected managers; None if the executor does not know."""
        activity = self.block_activity()
        return None if activity is None else sum(block.workers for block in activity.values())

    @property
    def tasks(self) -> dict[object, Future[Any]]:
        """The futures of the tasks that have not finished."""
        return self._tasks

    def outstanding(self) -> int:
        """Return how many tasks have been submitted and have not finished."""
        return len(self.tasks)

    def outstanding_without_time(self) -> int:
        """Return how many of these wait for another block, because the running ones end too soon for them."""
        return 0

    def fail_outstanding(self, exception: BaseException) -> None:
        """Fail every task that has not finished."""
        from concurrent.futures import InvalidStateError

        for future in list(self.tasks.values()):
            try:
                future.set_exception(exception)
            except InvalidStateError:
                pass  # it has just finished

    def prepare_scale_in(self, block_ids: list[str]) -> list[str]:
        """Launch no more tasks in blocks that were found idle and are about to be cancelled.

        Returns:
            Those that are still idle; the others have received a task meanwhile, and stay.
        """
        return block_ids

    @property
    def provider(self) -> ExecutionProvider | None:
        """Where blocks come from; None if the workers are started by other means."""
        return self._provider

    @property
    def status_polling_interval(self) -> float:
        """How often the scheduler is queried about jobs when there is no news, in seconds."""
        return 0.0 if self._provider is None else self._provider.status_polling_interval

    @property
    def blocks_to_job_id(self) -> dict[str, object]:
        """The scheduler's job id of each block that has been submitted; a copy."""
        return self.blocks.job_ids()

    @property
    def job_ids_to_block(self) -> dict[object, str]:
        """The block of each job; a copy."""
        return {job_id: block_id for block_id, job_id in self.blocks_to_job_id.items()}

    @property
    def status_facade(self) -> dict[str, JobStatus]:
        """What is known about every block so far, oldest first, without querying the scheduler."""
        return self.blocks.statuses()

    def status(self) -> dict[str, JobStatus]:
        """Query the scheduler now, and return what is known about every block so far."""
        self.blocks.query()
        return self.status_facade

    def poll_facade(self) -> None:
        """Update what is known: from the managers, and from the scheduler when that is due."""
        self.blocks.poll()

    def scale_out_facade(self, n: int) -> list[str]:
        """Start ``n`` more blocks, whatever the provider's ``max_blocks``.

        Returns:
            The ids of the new blocks; none once the executor has failed for good or is shutting down.
        """
        return self.blocks.scale_out(n)

    def scale_in(self, blocks: int, max_idletime: float | None = None) -> list[str]:
        """Cancel blocks, idle ones first.

        Args:
            blocks: The number of blocks.
            max_idletime: Cancel only blocks that have been idle for this long, in seconds; None to cancel
                busy ones too if there are not enough others.

        Returns:
            The ids of the blocks that are cancelled.
        """
        chosen = self.blocks.choose(blocks, max_idletime)
        return self.blocks.scale_in(chosen) if max_idletime is None else self.blocks.scale_in_idle(chosen)

    def scale_in_facade(self, n: int, max_idletime: float | None = None) -> list[str]:
        """Cancel ``n`` blocks; see :meth:`scale_in`."""
        return self.scale_in(n, max_idletime)

    def handle_errors(self, status: dict[str, JobStatus]) -> None:
        """Let the block error handler judge the blocks, unless the executor has failed for good.

        If the scheduler reports that no block can run, the executor fails without the handler; but not for
        users who have chosen no error handler.
        """
        if self.bad_state_is_set:
            return
        if not self.keeps_trying and (error := self.blocks.check()) is not None:
            self.set_bad_state_and_fail_all(error)
            return
        self.block_error_handler(self, status)

    @property
    def keeps_trying(self) -> bool:
        """Whether the executor never fails because of its blocks: there is no block error handler."""
        return self.block_error_handler is noop_error_handler

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
            BadStateException: The executor has failed for good.
        """
        if self._bad_because is not None:
            raise BadStateException(self, self._bad_because)

    def set_bad_state_and_fail_all(self, exception: BaseException) -> None:
        """Fail for good: every outstanding task, and every later one. All blocks are cancelled.

        Only the first exception counts; a further call fails the tasks that were submitted since.

        Args:
            exception: Why; it becomes part of the :class:`BadStateException` that the tasks fail with.
        """
        if self._bad_because is None:
            self._bad_because = exception
            self.blocks.covered_tasks = 0
            logger.error("Executor %s has failed for good: %s", self.label, exception)
        self.fail_outstanding(BadStateException(self, self._bad_because))
        self.blocks.cancel_all()


pass_on_upstream_names(__name__)
