"""The thread that looks after the blocks of a kernel's executors."""

from __future__ import annotations

import logging
import threading
import time

from parsl import validate
from parsl.executors.blocks.block_set import BlockListener
from parsl.executors.errors import ThreadLost
from parsl.executors.status_handling import BlockProviderExecutor
from parsl.jobs.demand import Demand
from parsl.jobs.strategy import STRATEGIES, Decision, ExecutorView, decide

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from parsl.executors.base import ParslExecutor

logger = logging.getLogger(__name__)

#: However often it is woken, it looks at most this often; in seconds. The first look is never delayed.
MIN_GAP_S = 0.05


class JobStatusPoller(BlockListener):
    """Keeps the blocks of all executors of a kernel as the strategy wants them.

    Owns one thread, named ``JobStatusPoller``, which starts with the first executor that has a provider.
    It looks at every executor once per ``strategy_period``, and at once when it is woken. Whatever goes
    wrong while it looks at an executor makes that executor fail for good; the others are looked after as
    before.

    Args:
        strategy: "none", "simple" or "htex_auto_scale"; None for "none".
        strategy_period: How often to look when there is no news, in seconds.
        max_idletime: How long a block may be idle before it may be given back, in seconds.
        clock: Gives the time, in seconds; the one that the executors use.

    Raises:
        ParameterError: One of them is wrong.
    """

    def __init__(
        self,
        *,
        strategy: str | None,
        strategy_period: float,
        max_idletime: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._strategy = validate.choice(
            self, "strategy", "none" if strategy is None else strategy, STRATEGIES
        )
        self._period_s = validate.number(self, "strategy_period", strategy_period, above=0)
        self._max_idletime_s = validate.number(self, "max_idletime", max_idletime, low=0, finite=False)
        self._clock = clock
        self._lock = threading.RLock()  # a signal handler may clean up in the middle
        self._memories: dict[BlockProviderExecutor, Demand] = {}
        self._news = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        #: Why the thread has ended, if nobody wanted it to.
        self._lost: ThreadLost | None = None

    def __repr__(self) -> str:
        state = "closed" if self._closed.is_set() else "running" if self._thread else "not started"
        return f"<JobStatusPoller {self._strategy}, {len(self._memories)} executors, {state}>"

    def add_executors(self, executors: Iterable[ParslExecutor]) -> None:
        """Look after these executors too; those without a provider need none of it.

        Args:
            executors: Executors that have been started.
        """
        self.watch(executors)
        with self._lock:
            if self._memories and self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._run, name="JobStatusPoller", daemon=True)
                self._thread.start()
            lost = self._lost
        if lost is not None:
            self._fail_all(lost)
        self.wake()

    def watch(self, executors: Iterable[ParslExecutor]) -> None:
        """Look after these executors too, but start no thread: somebody calls :meth:`look`."""
        for executor in executors:
            if isinstance(executor, BlockProviderExecutor) and executor.provider is not None:
                with self._lock:
                    self._memories[executor] = Demand()
                executor.blocks.add_listener(self)
                if self._strategy == "none" and getattr(executor.provider, "init_blocks", 1) == 0:
                    executor.blocks.notices.warn_no_blocks()

    def wake(self) -> None:
        """Look at the executors now. May be called from any thread, and does not wait."""
        self._news.set()

    def blocks_changed(self) -> None:
        """Something has changed that decisions depend on."""
        self.wake()

    def close(self, timeout_s: float | None = None) -> bool:
        """Stop looking, and have no more blocks started. It is for the executors to give theirs back.

        Args:
            timeout_s: How long to wait for a look that is going on, in seconds; None for as long as it
                takes.

        Returns:
            Whether the thread has ended.
        """
        self._closed.set()
        self._news.set()
        with self._lock:
            executors = list(self._memories)
            thread = self._thread
        for executor in executors:
            executor.blocks.stop_submitting()
        if thread is None or thread is threading.current_thread():
            return thread is None
        thread.join(timeout_s)
        return not thread.is_alive()

    def give_back_waiting(self) -> None:
        """Have every executor give back the blocks that have not begun, before one of them frees nodes."""
        with self._lock:
            executors = list(self._memories)
        for executor in executors:
            try:
                executor.blocks.cancel_queued()
            except Exception:
                logger.exception("Executor %s: its queued blocks could not be given back", executor.label)

    def look(self) -> float:
        """Look at every executor once, and act; this is what the thread does.

        Returns:
            After how many seconds to look again if there is no news.
        """
        with self._lock:
            executors = list(self._memories)
        waits_s = [self._look_after(executor) for executor in executors if not self._closed.is_set()]
        return min(waits_s, default=self._period_s)

    def _run(self) -> None:
        try:
            self._look_until_closed()
        except BaseException as error:
            logger.critical("The thread that looks after blocks has failed", exc_info=True)
            with self._lock:
                lost = self._lost = ThreadLost("JobStatusPoller", "looks after blocks", error)
            self._fail_all(lost)

    def _look_until_closed(self) -> None:
        while not self._closed.is_set():
            was_woken = self._news.is_set()
            self._news.clear()
            wait_s = self.look()
            if not was_woken or not self._closed.wait(MIN_GAP_S):
                self._news.wait(wait_s)

    def _look_after(self, executor: BlockProviderExecutor) -> float:
        try:
            return self._look_at(executor)
        except (Exception, SystemExit) as error:  # a user's block error handler may call sys.exit()
            logger.exception("Executor %s: its blocks could not be looked after", executor.label)
            self._fail(executor, error)
            return self._period_s

    def _look_at(self, executor: BlockProviderExecutor) -> float:
        executor.blocks.poll()
        executor.handle_errors(executor.blocks.statuses())
        if executor.executor_exception is not None:
            if executor.outstanding():
                executor.set_bad_state_and_fail_all(executor.executor_exception)
            return self._period_s
        now_s = self._clock()
        decision = decide(
            view_of(executor), self._strategy, self._max_idletime_s, now_s, self._memories[executor]
        )
        self._memories[executor] = decision.memory
        self._act(executor, decision)
        look_again_in_s = decision.look_again_in_s or self._period_s
        return min(self._period_s, look_again_in_s, max(MIN_GAP_S, executor.blocks.due_in_s()))

    def _act(self, executor: BlockProviderExecutor, decision: Decision) -> None:
        if self._closed.is_set():
            return
        executor.blocks.covered_tasks = decision.covered_tasks
        executor.blocks.tasks_added(executor.outstanding())  # some may have come since the decision
        if decision.hopeless is not None:
            executor.set_bad_state_and_fail_all(RuntimeError(decision.hopeless))
        if decision.scale_out:
            assert executor.provider is not None
            added = executor.blocks.scale_out(decision.scale_out, executor.provider.max_blocks)
            if added:
                logger.info("Executor %s: %d more blocks: %s", executor.label, len(added), decision.reason)
        if decision.scale_in:
            logger.info("Executor %s: blocks %s go: %s", executor.label, decision.scale_in, decision.reason)
            executor.blocks.scale_in_idle(decision.scale_in)

    def _fail_all(self, error: ThreadLost) -> None:
        with self._lock:
            executors = list(self._memories)
        for executor in executors:
            self._fail(executor, error)

    def _fail(self, executor: BlockProviderExecutor, error: BaseException) -> None:
        try:
            executor.set_bad_state_and_fail_all(error)
        except Exception:
            logger.exception("Executor %s: its tasks could not all be failed", executor.label)


def view_of(executor: BlockProviderExecutor) -> ExecutorView:
    """What the strategy knows about an executor that has a provider."""
    provider = executor.provider
    assert provider is not None
    outstanding = executor.outstanding()
    return ExecutorView(
        label=executor.label,
        outstanding=outstanding,
        workers_per_block=executor.workers_per_block,
        min_blocks=provider.min_blocks,
        max_blocks=provider.max_blocks,
        parallelism=provider.parallelism,
        blocks=executor.blocks.views(),
        history=executor.blocks.history(),
        without_time=min(outstanding, executor.outstanding_without_time()),
    )
