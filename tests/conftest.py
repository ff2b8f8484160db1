"""Fixtures of all tests: waiting for a condition, and checks that nothing is left behind."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Protocol

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from tests import leftovers
from tests.support import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The duration of an example depends on how busy the machine is, not on the code.
# The examples are the same each time; `make chaos` looks for new ones.
hypothesis_settings.register_profile(
    "parsl", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("parsl")

#: Processes that were asked to end have this long to do so before they count as left behind.
_LEFTOVER_GRACE_S = 15.0


class WaitUntil(Protocol):
    """See :func:`tests.support.waiting.wait_until`."""

    def __call__(
        self, predicate: Callable[[], object], timeout_s: float = 60.0, what: str = ""
    ) -> object: ...


@pytest.fixture
def wait_until() -> WaitUntil:
    """Wait for a condition, as in ``wait_until(future.done, timeout_s=10)``; fails if it stays false."""
    return waiting.wait_until


@pytest.fixture(autouse=True)
def _no_kernel_left_loaded() -> Iterator[None]:
    yield
    parsl = sys.modules.get("parsl")
    if parsl is None or "parsl.dataflow.dflow" not in sys.modules:
        return
    try:
        kernel = parsl.dfk()
    except parsl.errors.NoDataFlowKernelError:
        return
    parsl.clear()
    if not kernel.cleanup_called:
        kernel.cleanup()
        pytest.fail("The test left a DataFlowKernel running; use `with parsl.load(...)`.")


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_reaches_scripts() -> None:
    """Tests that a shell starts in the background ignore SIGINT, and their scripts would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _no_processes_left() -> Iterator[None]:
    mark = leftovers.mark_this_process()
    yield
    try:
        waiting.wait_until(lambda: not leftovers.find(mark), _LEFTOVER_GRACE_S)
    except AssertionError:
        left = leftovers.find(mark)
        found = "\n".join(leftovers.describe(process) for process in left)
        leftovers.kill(left)
        pytest.fail(f"Tests left processes behind (killed now):\n{found}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Name each failure at once in CI, since a run that is stopped for its time would otherwise name none."""
    if report.failed and "CI" in os.environ and "PYTEST_XDIST_WORKER" not in os.environ:
        crash = getattr(report.longrepr, "reprcrash", None)
        reason = str(crash.message if crash else report.longrepr).strip().partition("\n")[0]
        print(f"\nFAILED {report.nodeid} ({report.when}, {report.duration:.0f} s): {reason}", flush=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs MPI or Linux where there is none; .ci/run has both, so nothing is skipped there."""
    from shutil import which

    if which("mpiexec") is None:
        for item in items:
            if item.get_closest_marker("mpi"):
                item.add_marker(pytest.mark.skip(reason="there is no mpiexec on the PATH"))
    from parsl.common.system import IS_PORTABLE

    if IS_PORTABLE:
        for item in items:
            if item.get_closest_marker("linux"):
                item.add_marker(pytest.mark.skip(reason="it tests what only Linux has"))
