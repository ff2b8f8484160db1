"""However a driver ends, nothing of it remains a few seconds later."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from typing import TYPE_CHECKING

import pytest

from tests.system.driver import Driver, all_gone

if TYPE_CHECKING:
    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartDriver

#: A driver with work of every kind: tasks that ignore SIGTERM, queued tasks, large payloads.
BUSY = """
    @python_app
    def stubborn(path, load):
        import os, signal, subprocess, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen(["sleep", "1000"], start_new_session=True)
        subprocess.Popen(["sh", "-c", "trap '' TERM; sleep 1000; true"])
        open(path, "w").close()
        time.sleep(1000)

    @bash_app
    def command(path):
        return f"sleep 1000 & touch {path}; wait"

    if __name__ == "__main__":
        with parsl.load(make_config(**OPTIONS)):
            futures = [stubborn(os.path.abspath("busy0"), bytes(1_000_000))]
            futures += [command(os.path.abspath("busy1"))]
            futures += [stubborn(os.path.abspath("queued"), bytes(100_000)) for _ in range(10)]
            for future in futures:
                future.result()
"""
WAYS = {"local": "{}", "deep": "dict(run_dir='r' + '/deep' * 25)", "tcp": "dict(over_tcp=True)"}


def start_busy(start_driver: StartDriver, wait_until: WaitUntil, way: str = "local") -> object:
    driver = start_driver(BUSY.replace("OPTIONS", WAYS[way]))
    wait_until(
        lambda: (driver.directory / "busy0").exists() and (driver.directory / "busy1").exists(),
        what="two busy tasks",
    )
    assert len(driver.family()) >= 8
    return driver


@pytest.mark.parametrize(
    ("number", "way"),
    [
        (signal.SIGKILL, "local"),
        (signal.SIGKILL, "deep"),
        (signal.SIGKILL, "tcp"),
        (signal.SIGTERM, "local"),
        (signal.SIGTERM, "tcp"),
        (signal.SIGHUP, "local"),
    ],
)
def test_a_killed_driver_leaves_nothing_behind(
    start_driver: StartDriver, wait_until: WaitUntil, number: int, way: str
) -> None:
    driver = start_busy(start_driver, wait_until, way)
    assert (len(driver.spools()), len(driver.sockets())) == ((0, 0) if way == "tcp" else (1, 1))
    socket_directories = {os.path.dirname(path) for path in driver.sockets() if way == "deep"}
    assert all(path.startswith(tempfile.gettempdir()) for path in socket_directories)
    os.kill(driver.process.pid, number)
    assert driver.wait() == -number
    wait_until(all_gone(driver), 60, f"the end of {driver.family()}, {driver.spools()}")
    wait_until(lambda: not any(map(os.path.exists, socket_directories)), 60, f"no {socket_directories}")


@pytest.mark.parametrize("way", ["local", "deep"])
def test_a_driver_killed_with_its_interchange_leaves_nothing_behind(
    start_driver: StartDriver, wait_until: WaitUntil, way: str
) -> None:
    driver = start_busy(start_driver, wait_until, way)
    [spool], [socket] = driver.spools(), driver.sockets()
    [interchange] = [one for one in driver.family() if "HTEX interchange" in " ".join(one.cmdline())]
    interchange.suspend()  # otherwise it would have time to clean up
    os.kill(driver.process.pid, signal.SIGKILL)
    driver.wait()
    assert os.path.exists(spool)
    interchange.kill()
    wait_until(all_gone(driver), 60, f"the end of {driver.family()}, {driver.spools()}")
    directory = os.path.dirname(socket)
    wait_until(lambda: way == "local" or not os.path.exists(directory), 60, f"no {directory}")


@pytest.mark.parametrize("way", ["local", "tcp"])
def test_ctrl_c_ends_a_busy_run_at_once(start_driver: StartDriver, wait_until: WaitUntil, way: str) -> None:
    driver = start_busy(start_driver, wait_until, way)
    begin_s = time.monotonic()
    os.kill(driver.process.pid, signal.SIGINT)
    assert driver.wait(60) != 0
    assert time.monotonic() - begin_s < 30
    assert "KeyboardInterrupt" in driver.output
    wait_until(all_gone(driver), 60, f"the end of {driver.family()}, {driver.spools()}")


def test_ctrl_c_in_a_terminal_reaches_the_whole_group(
    start_driver: StartDriver, wait_until: WaitUntil
) -> None:
    driver = start_driver(BUSY.replace("OPTIONS", "{}"), start_new_session=True)
    wait_until(lambda: (driver.directory / "busy0").exists() and (driver.directory / "busy1").exists())
    os.killpg(driver.process.pid, signal.SIGINT)
    assert driver.wait(60) != 0
    wait_until(all_gone(driver), 60)


def test_a_second_ctrl_c_is_immediate(start_driver: StartDriver, wait_until: WaitUntil) -> None:
    driver = start_busy(start_driver, wait_until)
    os.kill(driver.process.pid, signal.SIGINT)
    wait_until(lambda: (driver.directory / "r/000/parsl.log").read_text().count("cancels blocks"), 60)
    begin_s = time.monotonic()
    os.kill(driver.process.pid, signal.SIGINT)
    assert driver.wait(60) != 0
    assert time.monotonic() - begin_s < 30
    wait_until(all_gone(driver), 60, "the end of all processes")


@pytest.mark.parametrize("delay_s", [0.0, 0.02, 0.05, 0.08, 0.12, 0.17, 0.25, 0.4])
def test_ctrl_c_at_any_moment_ends_the_run(
    start_driver: StartDriver, wait_until: WaitUntil, delay_s: float
) -> None:
    driver = start_driver(
        """
        @python_app
        def work(n):
            return n

        print("begin", flush=True)
        with parsl.load(make_config(provider=LocalProvider(init_blocks=2, max_blocks=2))):
            for round in range(10_000):
                assert [future.result() for future in [work(n) for n in range(20)]] == list(range(20))
        """
    )
    wait_until(lambda: "begin" in driver.output)
    moment_s = time.monotonic() + delay_s
    wait_until(lambda: time.monotonic() >= moment_s)
    press_ctrl_c(driver, wait_until)
    assert driver.wait(60) != 0
    assert "KeyboardInterrupt" in driver.output
    wait_until(all_gone(driver), 60, f"the end of {driver.family()}")


def press_ctrl_c(driver: Driver, wait_until: WaitUntil) -> None:
    """Interrupt a driver, again if Python has ignored that: it does in callbacks of its import system."""

    def ignored() -> int:
        return driver.output.count("Exception ignored in")

    def has_ended() -> bool:
        return driver.process.poll() is not None

    while not has_ended():
        before = ignored()
        os.kill(driver.process.pid, signal.SIGINT)
        wait_until(lambda before=before: has_ended() or ignored() > before)


def test_a_users_signal_handler_runs_only_in_the_driver(
    start_driver: StartDriver, wait_until: WaitUntil
) -> None:
    driver = start_driver(
        """
        def on_signal(number, frame):
            with open("handled", "a") as file:
                file.write(f"{os.getpid()}\\n")
            raise SystemExit(5)

        signal.signal(signal.SIGTERM, on_signal)

        @python_app
        def busy(path):
            import time
            open(path, "w").close()
            time.sleep(1000)

        with parsl.load(make_config()):
            busy(os.path.abspath("busy")).result()
        """
    )
    wait_until((driver.directory / "busy").exists)
    os.kill(driver.process.pid, signal.SIGTERM)
    assert driver.wait(60) == 5
    assert (driver.directory / "handled").read_text() == f"{driver.process.pid}\n"
    wait_until(all_gone(driver), 60)


@pytest.mark.parametrize(
    ("ending", "code"),
    [("sys.exit(3)", 3), ("os._exit(4)", 4), ("raise ValueError('oops')", 1), ("pass", 0)],
    ids=["exit", "_exit", "exception", "end"],
)
def test_a_driver_that_exits_without_cleanup_leaves_nothing_behind(
    start_driver: StartDriver, wait_until: WaitUntil, ending: str, code: int
) -> None:
    driver = start_driver(
        f"""
        @python_app
        def work(n):
            import time
            time.sleep(n)

        parsl.load(make_config())
        work(0).result()
        running = work(1000)
        {ending}
        """
    )
    assert driver.wait(60) == code, driver.output
    wait_until(all_gone(driver), 60, f"the end of {driver.family()}")


@pytest.mark.parametrize("ending", ["its end", "SIGINT", "SIGTERM"])
def test_a_run_loaded_by_a_thread_ends_with_the_program(
    start_driver: StartDriver, wait_until: WaitUntil, ending: str
) -> None:
    driver = start_driver(
        f"""
        import threading

        @python_app
        def work(n):
            import time
            time.sleep(n)
            return n

        def begin():
            parsl.load(make_config())
            assert work(0).result() == 0
            work(1000)
            open("begun", "w").close()
            if {ending != "its end"}:
                work(1000).result()

        thread = threading.Thread(target=begin, daemon=True)
        thread.start()
        thread.join()
        """
    )
    wait_until((driver.directory / "begun").exists)
    if ending != "its end":
        os.kill(driver.process.pid, getattr(signal, ending))
    assert (driver.wait(60) == 0) == (ending == "its end"), driver.output
    wait_until(all_gone(driver), 60, f"the end of {driver.family()}")


def test_a_driver_survives_the_death_of_its_shell(start_driver: StartDriver, wait_until: WaitUntil) -> None:
    driver = start_driver(
        """
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup

        @python_app
        def work(path):
            import os, time
            while not os.path.exists(path):
                time.sleep(0.01)
            return 1

        with parsl.load(make_config()):
            future = work(os.path.abspath("go"))
            open("begun", "w").close()
            print(future.result())
        """,
        start_new_session=True,
    )
    wait_until((driver.directory / "begun").exists)
    os.killpg(driver.process.pid, signal.SIGHUP)
    (driver.directory / "go").touch()
    assert driver.wait() == 0, driver.output
    assert driver.output == "1\n"
