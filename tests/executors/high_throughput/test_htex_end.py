"""The end of a run: the driver cancels its jobs, and the interchange does so only for a lost driver."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from parsl.providers import LocalProvider
from tests.system import tasks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartDriver, StartRun


class NotingProvider(LocalProvider):
    """Its cleanup commands write to a file."""

    note = Path()

    def cancel_commands(self, job_ids: Sequence[object]) -> list[list[str]]:
        return [["touch", str(self.note)]] if job_ids else []


def test_a_run_that_ends_in_order_leaves_nothing_to_the_interchange(
    start_run: StartRun, tmp_path: Path
) -> None:
    provider = NotingProvider()
    provider.note = tmp_path / "note"
    run = start_run(provider=provider)
    assert run.send(tasks.add, 1).result(timeout=60) == 1
    run.close()
    [log] = tmp_path.glob("r/*/htex/interchange.log")
    assert "stopping: the executor is shut down" in log.read_text()
    assert "has died" not in log.read_text()
    assert not provider.note.exists()


def test_the_jobs_of_a_driver_that_is_killed_while_it_cancels_them_are_cancelled(
    start_driver: StartDriver, wait_until: WaitUntil
) -> None:
    driver = start_driver("""
        from parsl.jobs.states import JobState
        class Provider(LocalProvider):
            def cancel_commands(self, job_ids):
                return [["touch", os.path.abspath("note")]] if job_ids else []
            def cancel(self, job_ids):
                while "stopping: the executor is shut down" not in open("r/000/htex/interchange.log").read():
                    time.sleep(0.01)
                os.kill(os.getpid(), signal.SIGKILL)
        with parsl.load(make_config(provider=Provider())) as kernel:
            python_app(os.getpid)().result()
            # A job that is queued, as far as the driver knows, is cancelled before the interchange stops.
            while kernel.executors["htex"].status()["0"].state is not JobState.RUNNING:
                time.sleep(0.01)
    """)
    assert driver.wait(60) == -9
    wait_until((driver.directory / "note").exists, 30)
    log = (driver.directory / "r/000/htex/interchange.log").read_text()
    assert log.index("stopping: the executor is shut down") < log.index("the driver has died: running")
