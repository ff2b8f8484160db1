"""The thread that scales the blocks of a kernel's executors."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from parsl import validate
from parsl.common import pass_on_upstream_names, threads
from parsl.executors.base import ParslExecutor
from parsl.executors.blocks.block_set import BlockListener
from parsl.executors.errors import ThreadLost
from parsl.executors.status_handling import BlockProviderExecutor
from parsl.jobs.strategy import STRATEGIES, Decision, Demand, ExecutorView, decide

logger = logging.getLogger(__name__)

#: The minimum gap between two rounds, however often the poller is woken; in seconds.
MIN_GAP_S = 0.05


class JobStatusPoller(BlockListener):
    """Keeps the blocks of a kernel's executors as the strategy requires.

    Owns one thread, named ``JobStatusPoller``, which starts with the first executor that has a provider. It
    updates every executor once per ``strategy_period``, and at once when something has changed. Any error
    with one executor makes that executor fail for good; the others are not affected. The executors use the
    same clock.
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
        self._demands: dict[BlockProviderExecutor, Demand] = {}
        self._news = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._lost: ThreadLost | None = None

    def __repr__(self) -> str:
        state = "closed" if self._closed.is_set() else "running" if self._thread else "not started"
        return f"<JobStatusPoller {self._strategy}, {len(self._demands)} executors, {state}>"

    def add_executors(self, executors: Iterable[ParslExecutor]) -> None:
        """Scale the blocks of these started executors too, as far as they have a provider.

        Their first blocks are submitted, unless the executor has done that.
        """
        self.watch(executors)
        with self._lock:
            if self._demands and self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._run, name="JobStatusPoller", daemon=True)
                self._thread.start()
            lost = self._lost
        if lost is not None:
            self._fail_all(lost)
        self.blocks_changed()

    def watch(self, executors: Iterable[ParslExecutor]) -> None:
        """Do as :meth:`add_executors` does, but without a thread: the caller calls :meth:`update_all`."""
        for executor in executors:
            if isinstance(executor, BlockProviderExecutor) and executor.provider is not None:
                with self._lock:
                    self._demands[executor] = Demand()
                executor.blocks.add_listener(self)
                executor.blocks.start()
                if self._strategy == "none" and getattr(executor.provider, "init_blocks", 1) == 0:
                    executor.blocks.notices.warn_no_blocks()

    def blocks_changed(self) -> None:
        """Update all executors now. May be called from any thread, and does not wait."""
        self._news.set()

    def close(self, timeout_s: float | None = None) -> bool:
        """Stop scaling, and start no more blocks; return whether the thread has ended within ``timeout_s``.

        The executors cancel their blocks when they are shut down.
        """
        self._closed.set()
        self._news.set()
        for executor in self._executors():
            executor.blocks.stop_submitting()
        with self._lock:
            thread = self._thread
        return threads.join(thread, timeout_s)

    def cancel_queued(self) -> None:
        """Cancel the queued blocks of all executors, before the shutdown of one of them frees nodes."""
        for executor in self._executors():
            try:
                executor.blocks.cancel_queued()
            except Exception:
                logger.exception("Executor %s: its queued blocks could not be cancelled", executor.label)

    def update_all(self) -> float:
        """Poll and scale every executor's blocks; return the seconds until the next update without news."""
        waits_s = [self._update(executor) for executor in self._executors() if not self._closed.is_set()]
        return min(waits_s, default=self._period_s)

    def _executors(self) -> list[BlockProviderExecutor]:
        with self._lock:
            return list(self._demands)

    def _run(self) -> None:
        try:
            while not self._closed.is_set():
                has_news = self._news.is_set()
                self._news.clear()
                wait_s = self.update_all()
                if not has_news or not self._closed.wait(MIN_GAP_S):
                    self._news.wait(wait_s)
        except BaseException as error:
            logger.critical("The thread that scales blocks has failed", exc_info=True)
            lost = ThreadLost("JobStatusPoller", "scales blocks", error)
            with self._lock:
                self._lost = lost
            self._fail_all(lost)

    def _update(self, executor: BlockProviderExecutor) -> float:
        try:
            return self._poll_and_scale(executor)
        except (Exception, SystemExit) as error:  # a user's block error handler may call sys.exit()
            logger.exception("Executor %s: its blocks could not be updated", executor.label)
            self._fail(executor, error)
            return self._period_s

    def _poll_and_scale(self, executor: BlockProviderExecutor) -> float:
        blocks = executor.blocks
        blocks.poll()
        executor.handle_errors(blocks.statuses())
        if executor.executor_exception is not None:
            if executor.outstanding():
                executor.set_bad_state_and_fail_all(executor.executor_exception)
            return self._period_s
        decision = decide(
            view_of(executor), self._strategy, self._max_idletime_s, self._clock(), self._demands[executor]
        )
        self._demands[executor] = decision.demand
        if not self._closed.is_set():
            self._scale(executor, decision)
        decide_again_in_s = decision.decide_again_in_s or self._period_s
        return min(self._period_s, decide_again_in_s, max(MIN_GAP_S, blocks.due_in_s()))

    def _scale(self, executor: BlockProviderExecutor, decision: Decision) -> None:
        blocks, label = executor.blocks, executor.label
        blocks.covered_tasks = decision.covered_tasks
        blocks.tasks_added(executor.outstanding())  # some may have been added since the decision
        if decision.hopeless is not None:
            executor.set_bad_state_and_fail_all(RuntimeError(decision.hopeless))
        if decision.scale_out:
            assert executor.provider is not None
            added = blocks.scale_out(decision.scale_out, executor.provider.max_blocks)
            if added:
                logger.info("Executor %s: %d more blocks: %s", label, len(added), decision.reason)
        if decision.scale_in:
            logger.info("Executor %s: scaling in blocks %s: %s", label, decision.scale_in, decision.reason)
            blocks.scale_in_idle(decision.scale_in)

    def _fail_all(self, error: ThreadLost) -> None:
        for executor in self._executors():
            self._fail(executor, error)

    def _fail(self, executor: BlockProviderExecutor, error: BaseException) -> None:
        try:
            executor.set_bad_state_and_fail_all(error)
        except Exception:
            logger.exception("Executor %s: not all of its tasks could be failed", executor.label)


def view_of(executor: BlockProviderExecutor) -> ExecutorView:
    """Return what the strategy needs to know about an executor that has a provider."""
    provider = executor.provider
    assert provider is not None
    outstanding = executor.outstanding()
    return ExecutorView(
        outstanding=outstanding,
        workers_per_block=executor.workers_per_block,
        min_blocks=provider.min_blocks,
        max_blocks=provider.max_blocks,
        parallelism=provider.parallelism,
        blocks=executor.blocks.views(),
        history=executor.blocks.history(),
        without_time=min(outstanding, executor.outstanding_without_time()),
    )


pass_on_upstream_names(__name__)
