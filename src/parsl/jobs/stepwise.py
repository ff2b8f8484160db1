"""Scaling in single steps, for programs that call the strategy themselves instead of loading a kernel."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from parsl import validate
from parsl.executors.base import ParslExecutor
from parsl.executors.blocks.views import BlockView
from parsl.executors.status_handling import BlockProviderExecutor
from parsl.jobs.strategy import STRATEGIES, Demand, ExecutorView, decide


class Strategy:
    """Decides about blocks as a kernel does, once per call of :meth:`strategize`.

    A kernel has a thread for this, and uses more of what it knows about managers. This class uses only the
    public interface of executors: outstanding, status_facade, scale_out_facade and scale_in_facade.

    Args:
        strategy: The name of the strategy, as for a Config.
        max_idletime: How long blocks stay when they are not needed (seconds).

    Raises:
        ParameterError: A parameter is not allowed.
    """

    def __init__(self, *, strategy: str | None, max_idletime: float) -> None:
        self._strategy = validate.choice(
            self, "strategy", "none" if strategy is None else strategy, STRATEGIES
        )
        self.max_idletime = validate.number(self, "max_idletime", max_idletime, low=0, finite=False)
        self._demands: dict[str, Demand] = {}
        self._have_first: set[str] = set()

    def __repr__(self) -> str:
        return f"<Strategy {self._strategy}, {len(self._demands)} executors>"

    def add_executors(self, executors: Sequence[ParslExecutor]) -> None:
        """Begin to observe how many blocks these executors need."""
        for executor in executors:
            self._demands.setdefault(executor.label, Demand())

    def strategize(self, executors: Iterable[BlockProviderExecutor]) -> None:
        """Start or cancel blocks of these executors, as the strategy requires now.

        The first call starts the provider's ``init_blocks``, whatever the strategy.
        Executors without a provider, and those that have failed for good, stay as they are.
        """
        for executor in executors:
            if executor.provider is not None and not executor.bad_state_is_set:
                self._strategize(executor)

    def _strategize(self, executor: BlockProviderExecutor) -> None:
        if executor.label not in self._have_first and executor.provider is not None:
            self._have_first.add(executor.label)
            executor.scale_out_facade(executor.provider.init_blocks)
        demand = self._demands.get(executor.label, Demand())
        decision = decide(_view_of(executor), self._strategy, self.max_idletime, time.monotonic(), demand)
        self._demands[executor.label] = decision.demand
        if decision.scale_out:
            executor.scale_out_facade(decision.scale_out)
        if decision.scale_in:
            executor.scale_in_facade(len(decision.scale_in), max_idletime=self.max_idletime)


def _view_of(executor: BlockProviderExecutor) -> ExecutorView:
    provider = executor.provider
    assert provider is not None
    return ExecutorView(
        outstanding=executor.outstanding(),
        workers_per_block=int((executor.workers_per_node or 0) * provider.nodes_per_block) or None,
        min_blocks=provider.min_blocks,
        max_blocks=provider.max_blocks,
        parallelism=provider.parallelism,
        blocks=tuple(
            BlockView(block_id, status.state)
            for block_id, status in executor.status_facade.items()
            if not status.terminal
        ),
    )
