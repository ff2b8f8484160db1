"""The suite for executors, with tasks that run in the blocks of a provider."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from parsl.executors.base import ParslExecutor
from parsl.providers.base import ExecutionProvider
from parsl.testing.executor_conformance import ExecutorConformance
from parsl.testing.provider_conformance import block_executor


class TasksInBlocks(ExecutorConformance):
    """A subclass makes the provider, as for the suite for providers."""

    cancels_running = True
    prioritizes = True
    limits: ClassVar[dict[str, int]] = {"init_blocks": 1, "min_blocks": 0, "max_blocks": 1}

    def make_provider(self, directory: Path) -> ExecutionProvider:
        raise NotImplementedError

    def make_executor(self, directory: Path) -> ParslExecutor:
        return block_executor(self.make_provider(directory))
