"""``parsl.progress()``: shows in a script or a notebook how far its run is."""

from __future__ import annotations

import sys
import threading
from time import monotonic
from types import TracebackType

from parsl import validate
from parsl.dataflow.dflow import DataFlowKernel
from parsl.dataflow.loader import DataFlowKernelLoader
from parsl.dataflow.progress_displays import Bar, Counts, Display, Lines, NotebookBar
from parsl.vocabulary.task_states import FINAL_FAILURE_STATES

_PERIOD_S = 0.25


class progress:
    """Show how many tasks of the run have ended, while a block of code is executed.

    ::

        with parsl.load(config), parsl.progress("simulations"):
            results = [future.result() for future in [simulate(case) for case in cases]]

    The bar is on stderr if that is a terminal, or below the cell of a notebook. Otherwise nothing is shown,
    so that logs of batch jobs stay clean; ``log_percent`` asks for lines instead. Tasks cost nothing: a
    thread reads the kernel's totals four times per second. Leaving the block does not wait for tasks.

    Without a block, ``start()`` and ``stop()`` do the same. The display also ends with the run.

    Args:
        description: The text in front of the bar.
        total: How many tasks are expected; None for the number of tasks that have been submitted so far.
        log_percent: If neither a terminal nor a notebook shows a bar, write a line to stderr each time that
            this many more per cent of the tasks have ended (above 0, up to 100).
        dfk: The kernel; None for that of ``parsl.load``.

    Raises:
        ConfigurationError: A parameter has a wrong value.
    """

    def __init__(
        self,
        description: str = "tasks",
        *,
        total: int | None = None,
        log_percent: float | None = None,
        dfk: DataFlowKernel | None = None,
    ) -> None:
        self._description = validate.text("progress", "description", description)
        self._total = validate.integer("progress", "total", total, low=0, optional=True)
        self._log_percent = validate.number(
            "progress", "log_percent", log_percent, above=0, high=100, optional=True
        )
        self._kernel = dfk
        self._display: Display | None = None
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._began_s = 0.0
        self._before = 0, 0

    def __repr__(self) -> str:
        return f"<progress {self._description!r}{' is shown' if self._thread else ''}>"

    def __enter__(self) -> progress:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> progress:
        """Begin to show progress. Tasks that have ended before are not counted.

        Returns:
            The object itself.

        Raises:
            NoDataFlowKernelError: No configuration is loaded.
        """
        kernel = self._kernel or DataFlowKernelLoader.dfk()
        if self._thread is not None:
            return self
        self._before, self._began_s = _ended(kernel), monotonic()
        self._display = choose_display(self._description, self._log_percent)
        if self._display is not None:
            self._stopped.clear()
            self._thread = threading.Thread(
                target=self._follow, args=(kernel,), name="parsl-progress", daemon=True
            )
            self._thread.start()
            self._kernel = kernel
        return self

    def stop(self) -> None:
        """Show the present numbers, and leave them. May be called twice."""
        self._stopped.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _follow(self, kernel: DataFlowKernel) -> None:
        display = self._display
        assert display is not None
        try:
            display.show(self.counts(kernel))
            while not self._stopped.wait(_PERIOD_S) and not kernel.cleanup_called:
                display.show(self.counts(kernel))
            display.show(self.counts(kernel))
        finally:
            display.close()

    def counts(self, kernel: DataFlowKernel) -> Counts:
        """Return how far a run is, as it would be shown now."""
        done, failed = _ended(kernel)
        done_before, failed_before = self._before
        submitted = kernel.task_count - done_before - failed_before
        total = submitted if self._total is None else max(self._total, submitted)
        return Counts(done - done_before, failed - failed_before, total, monotonic() - self._began_s)


def _ended(kernel: DataFlowKernel) -> tuple[int, int]:
    """Return how many tasks are done, and how many have failed."""
    by_state = kernel.ended_task_counts
    failed = sum(by_state[state] for state in FINAL_FAILURE_STATES)
    return sum(by_state.values()) - failed, failed


def choose_display(description: str, log_percent: float | None) -> Display | None:
    """Return what suits this process; None if nothing is shown."""
    if _is_notebook():
        return NotebookBar(description)
    if sys.stderr is not None and sys.stderr.isatty():
        return Bar(description)
    return None if log_percent is None else Lines(description, log_percent)


def _is_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")
