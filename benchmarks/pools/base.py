"""The interface of a pool for workloads."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


class Pool:
    """Runs functions as tasks. The handles that `submit` returns are valid only for this pool."""

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        """Submit a task; a future among `args` is a dependency where that is supported."""
        raise NotImplementedError

    def submit_shell(self) -> Any:
        """Submit a task that runs ``true`` in bash."""
        from benchmarks.tasks import run_true

        return self.submit(run_true)

    def result(self, future: Any) -> Any:
        """Wait for one task."""
        return future.result()

    def results(self, futures: Sequence[Any]) -> list[Any]:
        """Wait for many tasks."""
        return [future.result() for future in futures]

    def run_shells(self, count: int) -> None:
        """Submit `count` bash tasks and wait for all."""
        self.results([self.submit_shell() for _ in range(count)])

    def close(self) -> None:
        """End the workers and whatever else was started."""
        raise NotImplementedError
