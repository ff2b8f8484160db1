"""Large payloads through files in memory, and what happens where there is no room for them."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.executors.high_throughput import spool


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "t1")


@given(st.lists(st.binary(max_size=100_000), min_size=1, max_size=5).filter(any))
def test_pieces_are_read_as_they_were_written(pieces: list[bytes]) -> None:
    directory = spool.make_spool()
    if not directory:
        pytest.skip("there is no file system in memory")
    try:
        file = spool.task_file(directory, 1)
        assert spool.write(file, pieces)
        assert [bytes(piece) for piece in spool.read(file, [len(piece) for piece in pieces])] == pieces
        assert os.listdir(directory) == []
    finally:
        spool.remove_spool(directory)


def test_what_is_read_may_be_written_to_and_outlives_its_file(path: str) -> None:
    spool.write(path, [b"abc", bytearray(100_000)])
    first, second = spool.read(path, [3, 100_000])
    assert not os.path.exists(path)
    first[0] = second[99_999] = 7
    assert bytes(first) == b"\7bc"


def test_files_are_for_the_users_eyes_only(path: str) -> None:
    spool.write(path, [b"secret"])
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_a_file_that_is_there_is_not_overwritten(path: str) -> None:
    assert spool.write(path, [b"one"])
    assert not spool.write(path, [b"other"])
    assert bytes(spool.read(path, [3])[0]) == b"one"


def test_a_directory_that_is_gone_means_no(tmp_path: Path) -> None:
    assert not spool.write(str(tmp_path / "gone" / "t1"), [b"x"])


def test_where_there_is_no_room_nothing_is_left(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_the_limits_of_the_process_mean_no_room_as_well(tmp_path: Path) -> None:
    code = """
import resource, signal, sys
from parsl.executors.high_throughput import spool
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


def test_a_spool_belongs_to_the_user_alone_and_is_removed_with_all_in_it() -> None:
    directory = spool.make_spool()
    if not directory:
        pytest.skip("there is no file system in memory")
    assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
    spool.write(spool.result_file(directory, 1), [b"x"])
    spool.remove_spool(directory)
    assert not os.path.exists(directory)
    spool.remove_spool(directory)


def test_without_a_file_system_in_memory_there_is_no_spool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "_MEMORY", str(tmp_path / "nothing"))
    assert spool.make_spool() == ""
    spool.remove_spool("")
    assert Path.cwd().exists()


def test_to_discard_what_is_not_there_is_nothing(path: str) -> None:
    spool.discard(path)
    spool.write(path, [b"x"])
    spool.discard(path)
    assert not os.path.exists(path)
    with pytest.raises(FileNotFoundError):
        spool.read(path, [1])
