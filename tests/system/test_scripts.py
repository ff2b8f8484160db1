"""Scripts as users write and start them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.system.driver import SOURCES, all_gone

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartDriver

#: Everything in its own script that a task may use.
MAIN = """
    import functools
    FACTOR = 3

    class Point:
        def __init__(self, x):
            self.x = x
        def __eq__(self, other):
            return self.x == other.x

    class Oops(Exception):
        pass

    def helper(n):
        return FACTOR * n

    @python_app
    def use(point):
        return Point(helper(point.x))

    @python_app
    def fail():
        raise Oops("on purpose")

    @bash_app
    def shell(stdout=None):
        return f"echo {FACTOR}"

    def main():
        with parsl.load(make_config()):
            assert use(Point(2)).result() == Point(6)
            assert type(use(Point(1)).result()) is Point
            try:
                fail().result()
            except Oops as error:
                print(error)
            assert shell(stdout=os.path.abspath("echo")).result() == 0
            assert open("echo").read() == "3\\n"
        print("done")
"""


@pytest.mark.parametrize("guard", ["if __name__ == '__main__': main()", "main()"], ids=["guarded", "bare"])
def test_a_scripts_definitions_reach_workers(
    start_driver: StartDriver, wait_until: WaitUntil, guard: str
) -> None:
    driver = start_driver(MAIN + f"\n    {guard}\n")
    assert driver.wait() == 0, driver.output
    assert driver.output == "on purpose\ndone\n"
    assert all_gone(driver)()


def test_a_tasks_traceback_shows_the_lines_of_the_script(start_driver: StartDriver) -> None:
    driver = start_driver(
        """
        def helper(x):
            return 1 / x  # the line

        @python_app
        def work(x):
            return helper(x)

        with parsl.load(make_config()):
            work(0).result()
        """
    )
    assert driver.wait() == 1
    script = driver.directory / "script.py"
    number = script.read_text().splitlines().index("    return 1 / x  # the line") + 1
    assert f'File "{script}", line {number}, in helper\n    return 1 / x  # the line\n' in driver.output


@pytest.mark.parametrize("way", ["-c", "stdin", "-m"])
def test_scripts_can_be_started_in_other_ways(start_driver: StartDriver, way: str, tmp_path: Path) -> None:
    starter = {
        "-c": [sys.executable, "-c", "import sys; exec(open(sys.argv[1]).read())"],
        "stdin": ["sh", "-c", f'exec {sys.executable} - < "$0"'],
        "-m": ["sh", "-c", f"exec {sys.executable} -m script"],
    }[way]
    driver = start_driver(MAIN + "\n    main()\n", command=starter)
    assert driver.wait() == 0, driver.output
    assert driver.output == "on purpose\ndone\n"


def test_apps_work_in_an_interactive_session(start_driver: StartDriver) -> None:
    driver = start_driver(
        """
        @python_app
        def double(x):
            return 2 * x

        kernel = parsl.load(make_config())
        print(double(21).result())
        kernel.cleanup()
        """,
        command=["sh", "-c", f'exec {sys.executable} -q -i < "$0" 2>/dev/null'],
    )
    assert driver.wait() == 0, driver.output
    assert "42" in driver.output
    assert all_gone(driver)()


def test_modules_next_to_the_script_and_in_sys_path(start_driver: StartDriver, tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "farther.py").write_text("def far(x):\n    return -x\n")
    driver = start_driver(
        f"""
        sys.path.insert(0, {str(tmp_path / "library")!r})
        with open("nearby.py", "w") as file:
            file.write("def near(x):\\n    return x + 1\\n")

        import farther
        import nearby

        @python_app
        def imports(x):
            import farther
            import nearby
            return nearby.near(x), farther.far(x)

        if __name__ == "__main__":
            os.chdir("/")
            with parsl.load(make_config(run_dir={str(tmp_path / "r")!r})):
                print(imports(1).result(), python_app(nearby.near)(1).result())
                print(python_app(farther.far)(1).result())
        """
    )
    assert driver.wait() == 0, driver.output
    assert driver.output == "(2, -1) 2\n-1\n"


def test_an_empty_environment_suffices(start_driver: StartDriver, wait_until: WaitUntil) -> None:
    driver = start_driver(
        """
        @python_app
        def double(x):
            return 2 * x

        @bash_app
        def shell():
            return "true"

        with parsl.load(make_config()):
            print(double(1).result(), shell().result())
        """,
        command=[
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(SOURCES)!r}); exec(open(sys.argv[1]).read())",
        ],
        env={},
    )
    assert driver.wait() == 0, driver.output
    assert driver.output == "2 0\n"


def test_closed_standard_streams_do_no_harm(start_driver: StartDriver) -> None:
    driver = start_driver(
        """
        @python_app
        def double(x):
            print("somewhere")
            return 2 * x

        with parsl.load(make_config()):
            open("result", "w").write(str(double(1).result()))
        """,
        command=["sh", "-c", f'exec {sys.executable} "$0" <&- >&- 2>&-'],
    )
    assert driver.wait() == 0
    assert (driver.directory / "result").read_text() == "2"


def test_the_defaults_suffice(start_driver: StartDriver) -> None:
    driver = start_driver(
        """
        @python_app
        def double(x):
            return 2 * x

        with parsl.load(Config(executors=[HighThroughputExecutor()])):
            print([double(x).result() for x in range(3)])
        """
    )
    assert driver.wait() == 0, driver.output
    assert driver.output == "[0, 2, 4]\n"
    assert (driver.directory / "runinfo" / "000").is_dir()


def test_few_descriptors_suffice(start_driver: StartDriver, wait_until: WaitUntil) -> None:
    driver = start_driver(
        """
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

        @python_app
        def double(x):
            return 2 * x

        with parsl.load(make_config()):
            print(sum(future.result() for future in [double(x) for x in range(2000)]))
        """
    )
    assert driver.wait() == 0, driver.output
    assert driver.output == f"{1999 * 2000}\n"


def test_users_tests_run_under_pytest(start_driver: StartDriver) -> None:
    driver = start_driver(
        """
        @python_app
        def double(x):
            return 2 * x

        def test_double():
            with parsl.load(make_config()):
                assert double(4).result() == 8
        """,
        # Without the plugins of this environment, of which some need others that are not there.
        command=[
            *("env", "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1", sys.executable, "-m", "pytest", "-q"),
            *("-p", "no:cacheprovider", "-c", os.devnull, "--rootdir=."),
        ],
    )
    assert driver.wait() == 0, driver.output
    assert "1 passed" in driver.output
