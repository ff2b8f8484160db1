"""Open files: processes with many connections raise their limit, tasks keep theirs, and errors name it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from parsl.common import descriptors
from parsl.errors import ConfigurationError

if TYPE_CHECKING:
    from tests.system.fixtures import StartDriver


def run_alone(script: str) -> str:
    """Run a script in its own process: limits apply to whole processes."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    script = """
        import resource
        from parsl.common import descriptors
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300))
        print(descriptors.raise_limit(), descriptors.limits(), descriptors.raise_limit())
    """
    assert run_alone(script) == "300 (300, 300) 300\n"


def test_one_connection_is_possible_however_low_the_limit() -> None:
    reserve = descriptors.RESERVE
    assert [descriptors.room_for(limit) for limit in (0, reserve, reserve + 1, reserve + 7)] == [1, 1, 1, 7]
    assert descriptors.room_for(reserve + 7, each=2) == 3


def test_too_many_workers_for_the_limit_are_refused_with_the_possible_number() -> None:
    script = """
        import resource
        from parsl.errors import ConfigurationError
        from parsl.common import descriptors
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 148))
        descriptors.require(50)
        try:
            descriptors.require(51)
        except ConfigurationError as error:
            print(error)
    """
    assert "51 workers need 150 open files" in run_alone(script)
    assert "At most 50 workers are possible: set max_workers_per_node" in run_alone(script)


def test_users_are_warned_if_more_nodes_may_come_than_can_connect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(descriptors, "limits", lambda: (1024, 4096))
    descriptors.warn_if_few("small", 4048)
    with pytest.warns(RuntimeWarning, match=r"4,049 managers .* may have 4,096 open files .* for 4,048"):
        descriptors.warn_if_few("aurora", 4049)


def test_a_limit_below_the_requirement_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="nofile"):
        descriptors.require(descriptors.MAX_DESCRIPTORS)


def test_a_connection_without_a_descriptor_is_refused_with_the_reason() -> None:
    script = """
        import os, resource, select, socket, sys, tempfile
        from parsl.executors.high_throughput.interchange.links import LocalLinks
        from parsl.executors.high_throughput.wire.message_stream import MessageStream
        from parsl.executors.high_throughput.wire.protocol import decode_to_manager

        with tempfile.TemporaryDirectory() as directory:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(directory + "/s")
            listener.listen()
            epoll = select.epoll()
            links = LocalLinks(listener.detach(), epoll)
            clients = [socket.socket(socket.AF_UNIX) for _ in range(2)]
            for client in clients:
                client.connect(directory + "/s")
            fill = []
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
            try:
                while True:
                    fill.append(os.dup(0))
            except OSError:
                os.close(fill.pop())
            [(fd, _)] = epoll.poll()
            links.ready(fd)
            print(links)
            links.ready(fd)
            print(links, len(epoll.poll(0)))
            [[head]] = MessageStream(clients[1]).receive()
            print(decode_to_manager(head).reason)
            for each in fill:
                os.close(each)
            links.close()
    """
    first, second, reason, _ = run_alone(script).split("\n")
    assert first == "<LocalLinks connections=1 named=0>"
    assert second == "<LocalLinks connections=1 named=0> 0"
    assert "no open files for more: its limit is 64" in reason


def test_tasks_keep_the_drivers_limit(start_driver: StartDriver) -> None:
    driver = start_driver(
        """
        import resource
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))

        @python_app
        def limits():
            import os, psutil, resource
            fork_server = psutil.Process().parent()
            manager = fork_server.parent()
            return [p.rlimit(resource.RLIMIT_NOFILE)[0] for p in (psutil.Process(), fork_server, manager)]

        with parsl.load(make_config()):
            print(limits().result() == [300, 300, hard])
            print(resource.getrlimit(resource.RLIMIT_NOFILE) == (300, hard))
        """
    )
    assert driver.wait(100) == 0, driver.output
    assert driver.output == "True\nTrue\n"


def test_one_manager_too_many_is_refused_and_the_run_continues(start_driver: StartDriver) -> None:
    driver = start_driver(
        """
        import glob, resource, time, warnings
        resource.setrlimit(resource.RLIMIT_NOFILE, (49, 49))
        warnings.simplefilter("ignore")

        @python_app
        def double(x):
            return 2 * x

        provider = parsl.providers.LocalProvider(init_blocks=2, max_blocks=2)
        htex = parsl.HighThroughputExecutor(label="htex", max_workers_per_node=1, provider=provider)
        with parsl.load(Config(executors=[htex], strategy="none")):
            deadline = time.monotonic() + 80
            text = ""
            while "no open files for more" not in text and time.monotonic() < deadline:
                files = glob.glob("runinfo/000/**/*err*", recursive=True)
                text = "".join(open(name).read() for name in files)
                time.sleep(0.05)
            print([line for line in text.splitlines() if "no open files" in line][0].split(": ")[1])
            print(sum(future.result() for future in [double(x) for x in range(100)]))
        """
    )
    assert driver.wait(100) == 0, driver.output
    message, total = driver.output.splitlines()
    assert message == "the interchange already has 1 managers, and no open files for more"
    assert total == "9900"


def test_a_driver_without_free_descriptors_loses_only_results_that_need_one(
    start_driver: StartDriver,
) -> None:
    driver = start_driver(
        """
        import resource

        @python_app
        def zeros(count):
            return bytes(count)

        with parsl.load(make_config()):
            assert zeros(500_000).result() == bytes(500_000)
            resource.setrlimit(resource.RLIMIT_NOFILE, (120, 120))
            taken = []
            try:
                while True:
                    taken.append(os.dup(0))
            except OSError as error:
                print(error)
            print(zeros(1).result())
            print(zeros(500_000).exception())
            for fd in taken:
                os.close(fd)
            assert zeros(500_000).result() == bytes(500_000)
        """
    )
    assert driver.wait(100) == 0, driver.output
    full, small, large = driver.output.splitlines()
    assert full.endswith("Too many open files")
    assert small == "b'\\x00'"
    assert "cannot open its result" in large
    assert "`ulimit -n`" in large
