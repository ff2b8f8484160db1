"""Ending trees of processes; membership in a tree is tested on invented tables."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from parsl.common.processes import (
    ProcessEntry,
    Processes,
    collect_entries,
    environment_of,
    family,
    has_no_environment,
    is_alive,
    kill_tree,
    parse_stat,
    process_table,
    signal_processes,
    terminate_tree,
    wait_for_exit,
    wait_readable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import WaitUntil


def table_of(*rows: tuple[int, int, int, int]) -> dict[int, ProcessEntry]:
    """Processes by (pid, parent, group, session)."""
    return {row[0]: ProcessEntry(*row, started=1) for row in rows}


def test_a_family_is_the_root_and_its_descendants() -> None:
    table = table_of((10, 1, 5, 5), (11, 10, 5, 5), (12, 11, 5, 5), (20, 1, 5, 5), (21, 20, 5, 5))
    assert sorted(family(table, [10])) == [10, 11, 12]


def test_a_family_has_what_stayed_in_a_session_or_group_it_leads() -> None:
    table = table_of((11, 1, 10, 10), (12, 1, 12, 10), (13, 1, 14, 9), (15, 12, 15, 15), (16, 1, 15, 15))
    assert sorted(family(table, [10])) == [11, 12, 15, 16]


def test_a_family_does_not_include_the_session_it_only_belongs_to() -> None:
    table = table_of((10, 1, 5, 5), (5, 1, 5, 5), (6, 5, 5, 5))
    assert sorted(family(table, [10])) == [10]


def test_a_family_never_includes_the_caller_or_init() -> None:
    table = table_of((1, 0, 1, 1), (2, 1, 2, 2), (10, 1, 10, 10), (os.getpid(), 10, 10, 10))
    assert sorted(family(table, [10])) == [10]
    assert family(table, [1, 0]) == {}


def test_a_name_cannot_confuse_the_reading_of_a_process() -> None:
    stat = b"7 (a) Z (b)) S 3 4 5 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 12345 1000 10"
    entry = parse_stat(7, stat)
    assert entry is not None
    assert (entry.parent, entry.group, entry.session, entry.started) == (3, 4, 5, 12345)
    assert repr(entry) == "<ProcessEntry 7 parent=3 group=4 session=5>"
    assert parse_stat(7, stat.replace(b"(b)) S", b"(b)) Z")) is None


class Changing:
    """A host that changes whenever its processes are read.

    Args:
        parents: The parents of the processes.
        happenings: The change before the first reading of a process, by process.
    """

    def __init__(
        self, parents: dict[int, int], happenings: dict[int, Callable[[dict[int, int]], object]]
    ) -> None:
        self.parents = parents
        self.happenings = happenings

    def list_pids(self) -> list[int]:
        return sorted(self.parents)

    def read(self, pid: int) -> ProcessEntry | None:
        self.happenings.pop(pid, lambda parents: None)(self.parents)
        return ProcessEntry(pid, parent, pid, 5, 1) if (parent := self.parents.get(pid)) else None


def relations(host: Changing) -> dict[int, int]:
    return {pid: entry.parent for pid, entry in collect_entries(host.list_pids, host.read).items()}


def test_children_started_just_before_their_parents_end_are_in_the_table() -> None:
    def start_and_end(parents: dict[int, int]) -> None:
        parents[30] = 10  # left to the one that adopts
        del parents[20]

    assert relations(Changing({10: 1, 20: 10}, {20: start_and_end})) == {10: 1, 30: 10}


def test_a_process_adopted_meanwhile_has_its_new_parent_in_the_table() -> None:
    def end(parents: dict[int, int]) -> None:
        parents[15] = 10
        del parents[20]

    assert relations(Changing({10: 1, 15: 20, 20: 10}, {20: end})) == {10: 1, 15: 10}


def test_an_orphan_that_ends_meanwhile_is_not_in_the_table() -> None:
    def end_both(parents: dict[int, int]) -> None:
        del parents[15], parents[20]

    assert relations(Changing({10: 1, 15: 20, 20: 10}, {20: end_both})) == {10: 1}


def test_new_processes_all_the_time_do_not_delay_the_table() -> None:
    parents = {10: 1}

    def list_more() -> list[int]:
        parents[max(parents) + 1] = 10
        return list(parents)

    assert 10 in collect_entries(list_more, Changing(parents, {}).read)


@pytest.fixture
def marked() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"], env={"PATH": os.environ["PATH"], "MARK": "this one"}) as process:
        yield process
        process.kill()


def readable_environment(pid: int, wait_until: WaitUntil) -> frozenset[bytes]:
    """Wait until the process has executed its program."""
    found: list[frozenset[bytes]] = []

    def is_notified() -> bool:
        if (environment := environment_of(pid)) is not None:
            found.append(environment)
        return bool(found)

    wait_until(is_notified)
    return found[0]


def test_the_environment_that_a_process_began_with_is_known(
    marked: subprocess.Popen[bytes], wait_until: WaitUntil
) -> None:
    environment = readable_environment(marked.pid, wait_until)
    assert {b"MARK=this one", f"PATH={os.environ['PATH']}".encode()} <= environment


def test_the_environment_may_be_as_large_as_the_system_lets_it_be(wait_until: WaitUntil) -> None:
    variables = {f"V{n}": "x" * 100_000 for n in range(15)}
    with subprocess.Popen(["/bin/sleep", "60"], env={**variables, "MARK": "this one"}) as process:
        environment = readable_environment(process.pid, wait_until)
        process.kill()
    assert b"MARK=this one" in environment


def test_the_environment_of_a_dead_process_is_unknown(marked: subprocess.Popen[bytes]) -> None:
    marked.kill()
    os.waitid(os.P_PID, marked.pid, os.WEXITED | os.WNOWAIT)
    assert environment_of(marked.pid) is None
    assert environment_of(2**30) is None


def test_a_program_may_be_started_without_any_environment(wait_until: WaitUntil) -> None:
    with subprocess.Popen(["/bin/sleep", "60"], env={}) as process:
        assert not any(readable_environment(process.pid, wait_until))
        process.kill()


#: With flags, startcode, env_start and env_end left open.
STAT = b"7 (a) b) S 3 4 5 0 -1 %d" + b" 0" * 8 + b" 20 0 1 0 12345 1000 10 1 %d 2" + b" 0" * 22 + b" %d %d 0"


@pytest.mark.parametrize(
    ("flags", "start_code", "env_start", "env_end", "has_none"),
    [
        pytest.param(0, 4096, 100, 100, True, id="a program without any"),
        pytest.param(0, 4096, 100, 200, False, id="it was read too early"),
        pytest.param(0, 0, 0, 0, False, id="a program that is being loaded, or is ending"),
        pytest.param(0, 0, 100, 100, False, id="a program that is nearly loaded"),
        pytest.param(0x00208040, 0, 0, 0, True, id="a thread of the kernel"),
    ],
)
def test_an_environment_that_is_not_yet_readable_is_not_empty(
    flags: int, start_code: int, env_start: int, env_end: int, has_none: bool
) -> None:
    assert has_no_environment(STAT % (flags, start_code, env_start, env_end)) == has_none


#: A process whose first thread ends while another one continues.
WITHOUT_FIRST_THREAD = """
import ctypes, threading, time
def go_on():
    print(flush=True)
    time.sleep(60)
threading.Thread(target=go_on).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_process_is_alive_without_its_first_thread(wait_until: WaitUntil) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WITHOUT_FIRST_THREAD],
        stdout=subprocess.PIPE,
        env={**os.environ, "MARK": "this one"},
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            wait_until(lambda: b") Z " in Path(f"/proc/{process.pid}/stat").read_bytes())
            assert is_alive(process.pid)
            assert b"MARK=this one" in (environment_of(process.pid) or ())
        finally:
            process.kill()


def test_a_killed_process_is_not_alive() -> None:
    """The process has many threads and much memory: its end takes time, without a readable environment."""
    code = (
        "import threading, time\nmuch = bytearray(200_000_000)\n"
        "for _ in range(20): threading.Thread(target=time.sleep, args=(60,)).start()\nprint(flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, "MARK": "this one"}
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        while is_alive(process.pid):
            environment = environment_of(process.pid)
            assert environment is None or b"MARK=this one" in environment


#: Becomes other programs over and over; each reading of the child happens at a random moment.
READ_DURING_EXEC = """
import os, signal
from parsl.common.processes import environment_of
for _ in range(150):
    child = os.fork()
    if child == 0:
        os.execv("/bin/sh", ["sh", "-c", "exec sh -c 'exec sh -c \\"exec sleep 60\\"'"])
    while not open(f"/proc/{child}/cmdline", "rb").read().startswith(b"sleep"):
        environment = environment_of(child)
        assert environment is None or b"MARK=this one" in environment
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""


def test_a_process_keeps_its_mark_while_it_executes_another_program() -> None:
    command = [sys.executable, "-c", READ_DURING_EXEC]
    subprocess.run(command, env={**os.environ, "MARK": "this one"}, check=True, timeout=60)


def test_the_table_has_this_process() -> None:
    entry = process_table()[os.getpid()]
    assert (entry.parent, entry.group, entry.session) == (os.getppid(), os.getpgrp(), os.getsid(0))
    assert is_alive(os.getpid())


@pytest.fixture
def bash(tmp_path: Path, wait_until: WaitUntil) -> Iterator[Bash]:
    helper = Bash(tmp_path / "pids", wait_until)
    yield helper
    for process in helper.started:
        if process.poll() is None:
            kill_tree(process.pid)
        process.wait()


class Bash:
    """Starts scripts that write ids of processes to $PIDS, the last one when all processes exist."""

    def __init__(self, pids: Path, wait_until: WaitUntil) -> None:
        self._pids = pids
        self._wait_until = wait_until
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, script: str, count: int, new_session: bool = True) -> tuple[int, list[int]]:
        """Start a script that writes ``count`` ids; return its own and those."""
        environment = {**os.environ, "PIDS": str(self._pids)}
        process = subprocess.Popen(
            ["/bin/bash", "-c", script], env=environment, start_new_session=new_session
        )
        self.started.append(process)
        self._wait_until(lambda: len(self._read()) == count, what="the script")
        return process.pid, self._read()

    def _read(self) -> list[int]:
        return [int(pid) for pid in self._pids.read_text().split()] if self._pids.exists() else []


@pytest.mark.parametrize(
    ("script", "count"),
    [
        ("sleep 1000 & echo $! >> $PIDS; wait", 1),
        ("(sleep 1000 & echo $! >> $PIDS; sleep 1000 & echo $! >> $PIDS; wait) & wait", 2),
        ("(setsid sleep 1000 & echo $! >> $PIDS; wait) & wait", 1),
        ("(sleep 1000 & echo $! >> $PIDS) & wait; sleep 1000", 1),
        ("sleep 1000 & kill -STOP $!; echo $! >> $PIDS; wait; sleep 1000", 1),
    ],
    ids=["child", "grandchildren", "another session", "orphan", "stopped"],
)
@pytest.mark.parametrize("is_deaf", [False, True])
def test_a_tree_of_any_shape_is_ended(bash: Bash, script: str, count: int, is_deaf: bool) -> None:
    prefix = "trap '' TERM; " if is_deaf else ""
    root, others = bash.start(prefix + script, count)
    assert terminate_tree(root, grace_s=0.2 if is_deaf else 20) == []
    assert [pid for pid in (root, *others) if is_alive(pid)] == []


def test_processes_that_handle_sigterm_may_clean_up(bash: Bash, tmp_path: Path) -> None:
    tidied = tmp_path / "tidied"
    # Without a process of its own for that: what is started during the end is ended too. And without wait,
    # which does not return for a signal that arrives just before it.
    root, _ = bash.start(f"trap ': > {tidied}; exit' TERM; echo $$ >> $PIDS; while :; do sleep 0.1; done", 1)
    assert terminate_tree(root, grace_s=20) == []
    assert tidied.exists()


def test_a_killed_tree_has_no_time_to_end(bash: Bash, tmp_path: Path) -> None:
    tidied = tmp_path / "tidied"
    root, _ = bash.start(f"trap 'touch {tidied}; exit' TERM; echo $$ >> $PIDS; sleep 1000 & wait", 1)
    assert kill_tree(root) == []
    assert not tidied.exists()


def test_processes_started_meanwhile_are_ended_too(bash: Bash) -> None:
    more = "for i in 1 2 3; do sleep 1000 & echo $! >> $PIDS; done; sleep 1000"
    script = f"trap '{more}' TERM; echo $$ >> $PIDS; sleep 1000 & wait"
    root, _ = bash.start(script, 1)
    assert terminate_tree(root, grace_s=0.5) == []
    members = family(process_table(), [root])
    assert members == {}


def test_children_of_a_root_that_has_ended_are_found_by_its_session(
    bash: Bash, wait_until: WaitUntil
) -> None:
    root, (child,) = bash.start("sleep 1000 & echo $! >> $PIDS", 1)
    wait_until(lambda: not is_alive(root))
    assert is_alive(child)
    assert terminate_tree(root) == []
    assert not is_alive(child)


def test_a_root_in_our_session_ends_without_other_processes(bash: Bash) -> None:
    root, (child,) = bash.start("sleep 1000 & echo $! >> $PIDS; wait", 1, new_session=False)
    assert terminate_tree(root) == []
    assert not is_alive(child)
    assert is_alive(os.getpid())


def test_nothing_to_end_takes_no_time() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    begin_s = time.monotonic()
    assert terminate_tree(process.pid, grace_s=30) == []
    assert time.monotonic() - begin_s < 25


def test_the_end_works_without_process_descriptors(bash: Bash, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    root, (child,) = bash.start("trap '' TERM; sleep 1000 & echo $! >> $PIDS; wait", 1)
    assert terminate_tree(root, grace_s=0.1) == []
    assert not is_alive(child)


def test_waiting_for_a_descriptor_ends_in_time() -> None:
    reader, writer = os.pipe()
    try:
        begin_s = time.monotonic()
        assert not wait_readable(reader, 0.05)
        assert time.monotonic() - begin_s >= 0.05
        os.write(writer, b"x")
        assert wait_readable(reader, 1000)
    finally:
        os.close(reader)
        os.close(writer)


def test_importing_the_module_is_cheap() -> None:
    code = "import sys; import parsl.common.processes; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"subprocess", "psutil", "typing", "inspect", "logging", "selectors"} & set(modules)


def test_a_signal_of_the_root_is_seen_by_its_parent(bash: Bash) -> None:
    root, _ = bash.start("echo $$ >> $PIDS; exec sleep 1000", 1)
    terminate_tree(root)
    assert bash.started[0].wait() == -signal.SIGTERM


def test_process_title():
    pytest.importorskip("setproctitle")
    code = (
        "from parsl.common.processes import setproctitle; setproctitle('parsl: test of a title'); import os; "
    )
    code += "print(open('/proc/self/cmdline').read().rstrip(chr(0)))"
    assert _python(code) == "parsl: test of a title\n"


def test_the_short_name_of_a_process_has_no_spaces():
    pytest.importorskip("setproctitle")
    code = "from parsl.common.processes import setproctitle; setproctitle('parsl: test of a title'); "
    assert _python(code + "print(open('/proc/self/comm').read())").split() == ["parsl:test-of-a"]


def test_process_title_without_the_package_is_left_alone():
    code = "import sys; sys.modules['setproctitle'] = None; from parsl.common.processes import setproctitle; "
    assert _python(code + "setproctitle('parsl: x'); print('fine')") == "fine\n"


def _python(code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    ).stdout


@pytest.fixture
def shell() -> Iterator[subprocess.Popen[str]]:
    """A session of its own: a shell with a child, whose process id it prints."""
    process = subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!; wait"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "MARK": "this one"},
    )
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def child_of(shell: subprocess.Popen[str]) -> int:
    assert shell.stdout is not None
    return int(shell.stdout.readline())


def test_a_tree_is_found_from_its_root(shell: subprocess.Popen[str]) -> None:
    child, processes = child_of(shell), Processes()
    assert processes.descendants(shell.pid) == {child}
    assert processes.children(shell.pid) == {child}
    assert {shell.pid, child} <= processes.descendants(os.getpid())
    assert processes.with_descendants([shell.pid]) == {shell.pid, child}
    assert processes.session_members(shell.pid) == {shell.pid, child}


def test_a_missing_process_has_no_tree() -> None:
    processes = Processes()
    assert (
        processes.descendants(2**30) == processes.children(2**30) == processes.session_members(2**30) == set()
    )
    assert processes.alive([os.getpid(), 2**30]) == {os.getpid()}
    assert repr(processes).startswith("<Processes alive=")


def test_zombies_are_not_alive(wait_until: WaitUntil) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    try:
        wait_until(lambda: not Processes().alive([pid]))
    finally:
        os.waitpid(pid, 0)


def test_the_exit_code_of_a_child_is_returned_now_and_later() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read(); sys.exit(3)"], stdin=subprocess.PIPE
    )
    with pytest.raises(subprocess.TimeoutExpired):
        wait_for_exit(child, 0.01)
    assert child.stdin is not None
    child.stdin.close()
    assert wait_for_exit(child, 60) == 3
    assert wait_for_exit(child, 0) == 3


def test_signals_reach_the_existing_processes(shell: subprocess.Popen[str], wait_until: WaitUntil) -> None:
    child = child_of(shell)
    signal_processes([2**22 - 1, child], signal.SIGKILL)
    wait_until(lambda: not Processes().alive([child]))


@pytest.mark.skipif(os.getuid() == 0, reason="root may signal all processes")
def test_processes_of_other_users_are_ignored() -> None:
    signal_processes([1], signal.SIGCONT)
