"""Large payloads through files in memory, and what happens where there is no room for them."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.executors.high_throughput.wire import spool


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "t1")


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in place of the file system in memory."""
    directory = tmp_path / "memory"
    directory.mkdir()
    monkeypatch.setattr(spool, "SHARED_MEMORY", str(directory))
    return directory


def make() -> spool.Spool:
    made = spool.make_spool()
    assert made is not None
    return made


@given(st.lists(st.binary(max_size=100_000), min_size=1, max_size=5).filter(any))
def test_pieces_are_read_as_they_were_written(pieces: list[bytes]) -> None:
    made = make()
    try:
        before = os.listdir(made.directory)
        file = spool.task_file(made.directory, 1)
        assert spool.write(file, pieces)
        assert [bytes(piece) for piece in spool.read(file, [len(piece) for piece in pieces])] == pieces
        assert os.listdir(made.directory) == before
    finally:
        made.remove()


def test_received_buffers_are_writable_and_outlive_their_file(path: str) -> None:
    spool.write(path, [b"abc", bytearray(100_000)])
    first, second = spool.read(path, [3, 100_000])
    assert not os.path.exists(path)
    first[0] = second[99_999] = 7
    assert bytes(first) == b"\7bc"


def test_only_the_user_can_read_the_files(path: str) -> None:
    spool.write(path, [b"secret"])
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_an_existing_file_is_not_overwritten(path: str) -> None:
    assert spool.write(path, [b"one"])
    assert not spool.write(path, [b"other"])
    assert bytes(spool.read(path, [3])[0]) == b"one"


def test_nothing_is_written_into_a_removed_directory(tmp_path: Path) -> None:
    assert not spool.write(str(tmp_path / "gone" / "t1"), [b"x"])


def test_without_room_no_file_is_left(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write, room = os.write, [70_000]

    def write_until_full(fd: int, data: memoryview) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(fd, data[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(os, "write", write_until_full)
    assert not spool.write(path, [bytes(50_000), bytes(50_000)])
    assert not os.path.exists(path)


def test_the_limits_of_the_process_count_as_no_room(tmp_path: Path) -> None:
    code = """
import resource, signal, sys
from parsl.executors.high_throughput.wire import spool
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
print(spool.write(sys.argv[1], [bytes(5000)]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "t")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"
    assert list(tmp_path.iterdir()) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


def test_a_spool_is_private_and_is_removed_with_its_contents(memory: Path) -> None:
    old = os.umask(0)
    try:
        made = make()
    finally:
        os.umask(old)
    assert stat.S_IMODE(os.stat(made.directory).st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in Path(made.directory).iterdir()] == [0o600]
    spool.write(spool.result_file(made.directory, 1), [b"x"])
    made.remove()
    assert list(memory.iterdir()) == []


def test_a_file_written_during_the_removal_does_not_prevent_it(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, rmdir, late = make(), os.rmdir, [spool.result_file("", 1), spool.result_file("", 2)]

    def rmdir_after_a_result(*args: Any, **options: Any) -> None:
        if late:
            spool.write(made.directory + late.pop(), [b"x"])
        rmdir(*args, **options)

    monkeypatch.setattr(os, "rmdir", rmdir_after_a_result)
    made.remove()
    assert list(memory.iterdir()) == []


def test_a_spool_is_kept_while_its_driver_lives(memory: Path) -> None:
    made = make()
    spool.remove_if_orphaned(made.directory, 0.05)
    another = make()
    assert {str(path) for path in memory.iterdir()} == {made.directory, another.directory}
    os.close(made.owner_fd)  # as at the end of its process
    spool.remove_if_orphaned(made.directory, 0.05)
    assert [str(path) for path in memory.iterdir()] == [another.directory]
    another.remove()


def test_the_next_run_removes_the_spools_of_killed_drivers(memory: Path) -> None:
    made = make()
    spool.write(spool.task_file(made.directory, 1), [b"x"])
    (memory / "parsl-of-something-else").mkdir()
    (memory / "parsl-a-link").symlink_to(made.directory)
    os.close(made.owner_fd)
    another = make()
    left = {path.name for path in memory.iterdir()}
    assert left == {"parsl-of-something-else", "parsl-a-link", os.path.basename(another.directory)}
    another.remove()


def test_incomplete_spools_are_removed_an_hour_later(memory: Path) -> None:
    ours = {
        ".parsl-ab_c1234": "owner",
        ".parsl-abcd1235": None,
        "parsl-abcd1236": "r7",
        "parsl-abcd1237": "arena",
    }
    others = {"parsl-abcd1238": "thesis.tex", "parsl-mydata": None, ".parsl-abc": None}
    for name, file in {**ours, **others}.items():
        (memory / name).mkdir(mode=0o700)
        if file is not None:
            (memory / name / file).touch()
    make().remove()
    assert {path.name for path in memory.iterdir()} == {*ours, *others}
    for name in (*ours, *others):
        os.utime(memory / name, (1e9, 1e9))
    make().remove()
    assert {path.name for path in memory.iterdir()} == set(others)


def test_the_end_of_a_driver_is_waited_for(memory: Path) -> None:
    made = make()
    ending = threading.Timer(0.05, os.close, (made.owner_fd,))
    ending.start()
    spool.remove_if_orphaned(made.directory, 60)
    ending.join()
    assert list(memory.iterdir()) == []
    spool.remove_if_orphaned(made.directory, 60)
    spool.remove_if_orphaned("")


def test_a_forked_child_leaves_the_spool_to_its_parent(memory: Path) -> None:
    made = make()
    child = spool.Spool(made.directory, os.dup(made.owner_fd))  # as after a fork, which shares the lock
    child.let_go()
    spool.remove_if_orphaned(made.directory)
    assert os.path.exists(made.directory)
    made.remove()


def test_without_a_file_system_in_memory_there_is_no_spool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "SHARED_MEMORY", str(tmp_path / "nothing"))
    assert spool.make_spool() is None
    spool.remove_directory("")
    assert Path.cwd().exists()


def test_discarding_a_missing_file_does_nothing(path: str) -> None:
    spool.discard(path)
    spool.write(path, [b"x"])
    spool.discard(path)
    assert not os.path.exists(path)
    with pytest.raises(FileNotFoundError):
        spool.read(path, [1])
