"""A real fork server starts workers, and ends them with everything that they have started."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from parsl.common.processes import Processes, environment_of, process_table
from parsl.common.system.packets import open_control_end
from parsl.executors.high_throughput.wire.fork_orders import (
    End,
    Exited,
    Fork,
    Forked,
    decode_from_fork_server,
)
from parsl.executors.high_throughput.wire.protocol import (
    DONE,
    RAISED,
    Result,
    Task,
    Work,
    decode_result,
    encode,
)
from parsl.executors.high_throughput.wire.worker_channel import make_pair
from parsl.serialize.payloads import load_exception, load_value
from tests.conftest import WaitUntil

PACKET = 256 * 1024

#: A manager that only starts its fork server and passes the channel to the test.
MANAGER = """
import os, socket, sys
from parsl.executors.high_throughput.worker.fork_server import start_fork_server
pid, channel = start_fork_server()
test = socket.socket(fileno=int(sys.argv[1]))
socket.send_fds(test, [str(pid).encode()], [channel.fileno()])
if sys.argv[2] == "keep":
    test.recv(1)  # until the test goes
channel.close()
test.close()
os.waitpid(pid, 0)
"""


class Node:
    """A manager process with its fork server, and the test's end of the fork server's channel."""

    def __init__(self, keeps_channel: str = "let go") -> None:
        ours, theirs = socket.socketpair()
        self._test = ours
        self.manager = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(MANAGER), str(theirs.fileno()), keeps_channel],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        theirs.close()
        data, fds, _, _ = socket.recv_fds(ours, 64, 1)
        self.server_pid = int(data)
        self.channel = open_control_end(fds[0])
        self.channel.settimeout(20)
        self.links: dict[int, socket.socket] = {}

    def fork(self, rank: int, **environment: str) -> int:
        """Start a worker. Return its process id."""
        ours, theirs = make_pair()
        ours.setblocking(True)
        ours.settimeout(20)
        order = Fork(rank, {"PARSL_WORKER_RANK": str(rank), **environment}, [])
        socket.send_fds(self.channel, [encode(order)], [theirs.fileno()])
        theirs.close()
        self.links[rank] = ours
        answer = self.receive()
        assert isinstance(answer, Forked)
        assert answer.rank == rank
        return answer.pid

    def receive(self) -> Forked | Exited:
        answer = decode_from_fork_server(self.channel.recv(PACKET))
        assert isinstance(answer, (Forked, Exited))
        return answer

    def begin(self, rank: int, function: Any, *args: Any) -> None:
        """Send a call to a worker without waiting."""
        payload = cloudpickle.dumps((function, args, {}), protocol=5)
        self.links[rank].send(encode(Work(Task(1, b"", payload))))

    def call(self, rank: int, function: Any, *args: Any) -> Any:
        """Run a call on a worker, and return its result."""
        self.begin(rank, function, *args)
        result: Result = decode_result(self.links[rank].recv(PACKET))
        if result.status == RAISED:
            raise load_exception(result.payload)
        assert result.status == DONE
        return load_value(result.payload)

    def end(self, pid: int, grace_s: float = 5.0) -> Exited:
        """Request the end of a worker, and wait for its exit."""
        self.channel.send(encode(End(pid, grace_s)))
        answer = self.receive()
        assert isinstance(answer, Exited)
        assert answer.pid == pid
        return answer

    def is_quiet(self) -> bool:
        return not select.select([self.channel], [], [], 0)[0]

    def close(self) -> None:
        self.channel.close()
        self._test.close()
        self.manager.wait(60)
        for link in self.links.values():
            link.close()


@pytest.fixture
def node() -> Iterator[Node]:
    node = Node()
    yield node
    node.close()


def start_sleepers(directory: str, how: str) -> list[int]:
    """Runs in a worker: start sleeping processes, and return their ids."""
    import subprocess
    import sys

    if how == "daemon that is no program":
        return [fork_daemon()]
    code = {
        "child": "import os, time; print(os.getpid(), flush=True); time.sleep(60)",
        "own session": "import os, time; os.setsid(); print(os.getpid(), flush=True); time.sleep(60)",
        "daemon": (
            "import os, time\n"
            "if os.fork(): os._exit(0)\n"
            "os.setsid()\n"
            "if os.fork(): os._exit(0)\n"
            "print(os.getpid(), flush=True); time.sleep(60)"
        ),
        "deaf": (
            "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "print(os.getpid(), flush=True); time.sleep(60)"
        ),
    }[how]
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    return [int(process.stdout.readline())]


def fork_daemon() -> int:
    """Runs in a worker: leave a forked process in its own session that executes no other program."""
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(write, str(os.getpid()).encode())
            time.sleep(60)
        os._exit(0)
    return int(os.read(read, 32))


def start_one_after_the_other() -> None:
    """Runs in a worker until it is killed: start programs in their own sessions that start others."""
    import subprocess

    while True:
        subprocess.Popen(["sh", "-c", "sh -c 'sleep 60' & exec sleep 60"], start_new_session=True)


#: Only Linux has a subreaper, which adopts what has left the worker's session.
LEAVING = ("own session", "daemon", "daemon that is no program")
KINDS = ["child", "deaf", *(pytest.param(kind, marks=pytest.mark.linux) for kind in LEAVING)]


def test_workers_run_tasks_with_their_environment(node: Node) -> None:
    pids = [node.fork(rank, COLOUR=f"colour {rank}") for rank in range(3)]
    assert [node.call(rank, os.getpid) for rank in range(3)] == pids
    assert node.call(1, os.getenv, "COLOUR") == "colour 1"
    assert node.call(2, os.getenv, "PARSL_WORKER_RANK") == "2"
    assert len({node.call(rank, os.getsid, 0) for rank in range(3)}) == 3


def test_a_workers_exit_is_reported(node: Node) -> None:
    pid = node.fork(0)
    node.begin(0, sys.exit, 7)
    exited = node.receive()
    assert isinstance(exited, Exited)
    assert (exited.pid, exited.exit_code) == (pid, 7)
    assert exited.peak_memory > 1_000_000


def test_a_workers_death_by_a_signal_is_reported(node: Node) -> None:
    pid = node.fork(0)
    os.kill(pid, signal.SIGKILL)
    exited = node.receive()
    assert isinstance(exited, Exited)
    assert (exited.pid, exited.exit_code) == (pid, -signal.SIGKILL)


@pytest.mark.linux
def test_a_worker_whose_channel_closes_exits_with_0(node: Node) -> None:
    pid = node.fork(0)
    node.links.pop(0).close()
    exited = node.receive()
    assert isinstance(exited, Exited)
    assert (exited.pid, exited.exit_code) == (pid, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_is_ended_with_everything_that_it_has_started(node: Node, tmp_path: Path, kind: str) -> None:
    pid = node.fork(0)
    started = node.call(0, start_sleepers, str(tmp_path), kind)
    assert Processes().alive(started)
    exited = node.end(pid, grace_s=0.2)
    assert exited.exit_code == -signal.SIGTERM
    assert not Processes().alive([pid, *started])


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_killed_worker_leaves_is_ended_before_its_death_is_reported(
    node: Node, tmp_path: Path, kind: str
) -> None:
    pid = node.fork(0)
    started = node.call(0, start_sleepers, str(tmp_path), kind)
    os.kill(pid, signal.SIGKILL)
    exited = node.receive()
    assert isinstance(exited, Exited)
    assert not Processes().alive([pid, *started])


@pytest.mark.parametrize("after_s", [0.001 * n for n in range(20)])
def test_processes_that_are_just_starting_are_ended_too(
    node: Node, wait_until: WaitUntil, after_s: float
) -> None:
    pid = node.fork(0, MARK=f"of {os.getpid()}")
    node.begin(0, start_one_after_the_other)
    select.select([], [], [], after_s)  # a different moment each time
    os.kill(pid, signal.SIGKILL)
    assert isinstance(node.receive(), Exited)
    unchecked = set(process_table())

    def are_all_checked() -> bool:
        """Whether the processes with a readable environment have all been checked."""
        found = {pid: environment_of(pid) for pid in unchecked & set(process_table())}
        assert not [
            pid for pid, names in found.items() if names and f"MARK=of {os.getpid()}".encode() in names
        ]
        unchecked.intersection_update(pid for pid, names in found.items() if names is None)
        return not unchecked

    wait_until(are_all_checked)


@pytest.mark.linux
def test_the_end_of_one_worker_leaves_the_others_alone(node: Node, tmp_path: Path) -> None:
    first, second = node.fork(0), node.fork(1)
    started = node.call(1, start_sleepers, str(tmp_path), "daemon")
    node.end(first)
    assert Processes().alive([second, *started]) == {second, *started}
    assert node.call(1, os.getpid) == second
    node.end(second)
    assert not Processes().alive(started)


def test_many_workers_are_ended_at_once(node: Node) -> None:
    pids = {node.fork(rank) for rank in range(12)}
    for pid in pids:
        node.channel.send(encode(End(pid, 5.0)))
    ended = set()
    for _ in pids:
        exited = node.receive()
        assert isinstance(exited, Exited)
        ended.add(exited.pid)
    assert ended == pids
    assert node.is_quiet()


def test_a_request_to_end_another_process_is_ignored(node: Node) -> None:
    node.channel.send(encode(End(os.getpid(), 0.0)))
    assert node.fork(0)


def test_a_rank_can_be_used_again(node: Node) -> None:
    first = node.fork(0)
    node.end(first)
    second = node.fork(0)
    assert node.call(0, os.getpid) == second != first


@pytest.mark.parametrize("kind", KINDS)
def test_the_managers_death_ends_everything(tmp_path: Path, wait_until: Any, kind: str) -> None:
    node = Node("keep")
    worker = node.fork(0)
    started = node.call(0, start_sleepers, str(tmp_path), kind)
    node.channel.close()  # only the manager keeps it
    node.manager.send_signal(signal.SIGKILL)
    everything = [node.server_pid, worker, *started]
    wait_until(lambda: not Processes().alive(everything), timeout_s=60)
    node.close()


def test_signals_to_the_group_do_not_end_the_fork_server(node: Node) -> None:
    node.fork(0)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        os.kill(node.server_pid, number)
    assert node.fork(1)
