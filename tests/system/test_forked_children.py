"""A forked child of the driver: apps refuse to run in it, and the parent's run is unaffected."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.system.driver import all_gone

if TYPE_CHECKING:
    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartDriver

#: A run with one waiting task, and the code of its forked child.
FORK = """
    from parsl.executors.threads import ThreadPoolExecutor

    @python_app
    def add(a):
        return a + 1

    @python_app
    def wait_for(path):
        import os, time
        while not os.path.exists(path):
            time.sleep(0.01)
        return "waited"

    def threads():
        return Config(executors=[ThreadPoolExecutor(label="threads")], run_dir=os.path.abspath("r"))

    def expect_an_error(use):
        try:
            use()
        except Exception as error:
            assert "belongs to the process that process" in str(error), repr(error)
        else:
            raise AssertionError("no error")

    def be_a_child(kernel, waiting):
        expect_an_error(lambda: add(1))
        expect_an_error(waiting.result)
        expect_an_error(waiting.exception)
        expect_an_error(kernel.wait_for_current_tasks)
        for executor in kernel.executors.values():
            if isinstance(executor, HighThroughputExecutor):
                expect_an_error(executor.connected_managers)
                executor.shutdown()
        kernel.cleanup()
        with parsl.load(threads()):
            assert add(5).result() == 6
        print("child is well", flush=True)

    with parsl.load(CONFIG) as kernel:
        assert add(1).result() == 2
        waiting = wait_for(os.path.abspath("go"))
        pid = os.fork()
        if pid == 0:
            be_a_child(kernel, waiting)
            ENDING
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), [add(n).result() for n in range(3)], flush=True)
        open("go", "w").close()
        print(waiting.result())
"""


@pytest.mark.parametrize(
    ("config", "ending", "code"),
    [("make_config()", "sys.exit(7)", 7), ("threads()", "raise ValueError('oops')", 1)],
    ids=["htex", "threads"],
)
def test_the_run_belongs_to_the_parent_and_a_child_may_load_its_own(
    start_driver: StartDriver, config: str, ending: str, code: int
) -> None:
    driver = start_driver(FORK.replace("CONFIG", config).replace("ENDING", ending))
    assert driver.wait(60) == 0, driver.output
    lines = driver.output.splitlines()
    assert "child is well" in lines  # newer Pythons warn about the fork first
    assert lines[-2:] == [f"{code} [1, 2, 3]", "waited"]


@pytest.mark.parametrize("way", ["{}", "dict(over_tcp=True, heartbeat_period=1, heartbeat_threshold=3)"])
def test_a_child_that_outlives_the_driver_does_not_keep_its_run_alive(
    start_driver: StartDriver, wait_until: WaitUntil, way: str
) -> None:
    driver = start_driver(
        f"""
        @python_app
        def add(a):
            return a + 1

        with parsl.load(make_config(**{way})):
            assert add(1).result() == 2
            child = os.fork()
            if child == 0:
                os.chdir("/")
                os.close(1)
                time.sleep(1000)
                os._exit(0)
            with open("child.new", "w") as file:
                file.write(str(child))
            os.rename("child.new", "child")
            time.sleep(1000)
        """
    )
    wait_until((driver.directory / "child").exists)
    child = int((driver.directory / "child").read_text())
    try:
        driver.process.kill()
        driver.wait()
        wait_until(all_gone(driver), 60, f"the end of {driver.family()}")
        os.kill(child, 0)
    finally:
        os.kill(child, signal.SIGKILL)
