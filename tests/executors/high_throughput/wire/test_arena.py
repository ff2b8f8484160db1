"""Memory for medium-sized arguments: each slot has one owner; payloads without a slot are sent otherwise."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from parsl.executors.high_throughput.wire import arena as arena_module
from parsl.executors.high_throughput.wire.arena import MAX_BYTES, MAX_SLOTS, Arena, ArenaReader
from tests.system import run as runs
from tests.system import tasks

if TYPE_CHECKING:
    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartRun

#: Too large for a message, and small enough for a slot.
SIZE = 100_000


@pytest.fixture
def arenas(monkeypatch: pytest.MonkeyPatch) -> list[Arena]:
    """The arenas that are created during the test, in order."""
    created: list[Arena] = []
    create = Arena.__init__

    def record(arena: Arena, directory: str) -> None:
        create(arena, directory)
        created.append(arena)

    monkeypatch.setattr(Arena, "__init__", record)
    return created


def are_all_slots_free(arena: Arena) -> bool:
    slots, free = re.findall(r"\d+", repr(arena))
    return bool(slots == free)


def test_a_reader_gets_the_payloads_of_the_arena(tmp_path: Path) -> None:
    arena, reader = Arena(str(tmp_path)), ArenaReader(str(tmp_path))
    payloads = [bytes([i]) * (MAX_BYTES - i) for i in range(100)]
    places = [arena.put(i, payload) for i, payload in enumerate(payloads)]
    assert None not in places
    assert [reader.read(i, place, bytes) for i, place in enumerate(places) if place is not None] == payloads
    assert os.stat(tmp_path / "arena").st_mode & 0o777 == 0o600


def test_slots_are_used_again_and_never_twice_at_once(tmp_path: Path) -> None:
    arena = Arena(str(tmp_path))
    first = arena.put(1, b"a")
    assert first is not None
    arena.release(first)
    assert arena.put(2, b"b") == first
    others = [arena.put(3, b"c") for _ in range(MAX_SLOTS)]
    assert others[-1] is None
    begins = [place[0] for place in others if place is not None]
    assert len({first[0], *begins}) == MAX_SLOTS


def test_threads_get_slots_of_their_own(tmp_path: Path) -> None:
    arena = Arena(str(tmp_path))
    got: list[Any] = []
    threads = [
        threading.Thread(target=lambda: got.extend([arena.put(4, b"x") for _ in range(50)])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({place[0] for place in got}) == 400


def test_without_memory_there_is_no_slot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(arena_module.os, "posix_fallocate", refuse)
    assert Arena(str(tmp_path)).put(1, b"a") is None
    assert Arena(str(tmp_path / "nowhere")).put(1, b"a") is None


def test_a_closed_arena_takes_no_payload(tmp_path: Path) -> None:
    arena = Arena(str(tmp_path))
    place = arena.put(1, b"a")
    assert place is not None
    arena.close()
    arena.release(place)
    assert arena.put(2, b"b") is None


def test_more_tasks_than_slots_get_their_arguments(
    start_run: StartRun, tmp_path: Path, arenas: list[Arena], wait_until: WaitUntil
) -> None:
    run = start_run(max_workers_per_node=1)
    running = run.call(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/release")
    blocks = [os.urandom(64) * (SIZE // 64) for _ in range(MAX_SLOTS + 50)]
    futures = [run.call(tasks.echo, block) for block in blocks]
    wait_until(lambda: repr(arenas[0]) == f"<Arena slots={MAX_SLOTS} free=0>")
    (tmp_path / "release").touch()
    running.result(timeout=60)
    assert [future.result(timeout=60) for future in futures] == blocks
    wait_until(lambda: repr(arenas[0]) == f"<Arena slots={MAX_SLOTS} free={MAX_SLOTS}>")


def test_a_late_reader_does_not_read_the_payload_of_another_task(tmp_path: Path) -> None:
    arena, reader = Arena(str(tmp_path)), ArenaReader(str(tmp_path))
    place = arena.put(1, b"first")
    assert place is not None
    assert reader.read(1, place, bytes) == b"first"
    arena.release(place)
    assert arena.put(2, b"other") == place
    with pytest.raises(LookupError, match="arguments of task 1 are gone"):
        reader.read(1, place, bytes)

    def be_overtaken(view: memoryview) -> bytes:
        arena.release(place)
        assert arena.put(3, b"third") == place
        return bytes(view)

    with pytest.raises(LookupError, match="arguments of task 2 are gone"):
        reader.read(2, place, be_overtaken)


def test_the_slot_of_a_cancelled_task_is_used_again(
    start_run: StartRun, tmp_path: Path, arenas: list[Arena], wait_until: WaitUntil
) -> None:
    run = start_run(max_workers_per_node=1)
    running = run.call(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/release")
    wait_until((tmp_path / "started").exists)
    cancelled = run.call(tasks.echo, bytes(SIZE))
    assert cancelled.cancel()
    blocks = [bytes([i]) * SIZE for i in range(20)]
    futures = [run.call(tasks.echo, block) for block in blocks]
    (tmp_path / "release").touch()
    assert [future.result(timeout=60) for future in futures] == blocks
    running.result(timeout=60)
    wait_until(lambda: are_all_slots_free(arenas[0]))


def test_arguments_in_the_arena_survive_the_loss_of_the_interchange(
    start_run: StartRun, tmp_path: Path, wait_until: WaitUntil
) -> None:
    run = start_run(max_workers_per_node=1)
    running = run.call(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/release")
    blocks = [bytes([i]) * SIZE for i in range(20)]
    futures = [run.call(tasks.echo, block) for block in blocks]
    wait_until((tmp_path / "started").exists)
    run.only(runs.INTERCHANGE).kill()
    (tmp_path / "release").touch()
    running.result(timeout=60)
    assert [future.result(timeout=60) for future in futures] == blocks
