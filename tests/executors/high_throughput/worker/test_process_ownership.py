"""The owners of processes below a fork server, on made-up process tables."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from parsl.common.processes import ProcessEntry, Processes
from parsl.executors.high_throughput.worker import process_ownership
from parsl.executors.high_throughput.worker.process_ownership import (
    OwnershipTracker,
    ProcessOwnership,
    UnknownOwner,
    rank_of,
)

if TYPE_CHECKING:
    from tests.conftest import WaitUntil

KEEPER, WORKER, OTHER = 100, 110, 111
WORKERS = {WORKER: 0, OTHER: 1}


def living(*rows: tuple[int, int, int], started: int = 1) -> Processes:
    """The keeper, its workers, and processes by (pid, parent, session)."""
    rows = ((KEEPER, 1, 1), (WORKER, KEEPER, WORKER), (OTHER, KEEPER, OTHER), *rows)
    return Processes({pid: ProcessEntry(pid, parent, pid, session, started) for pid, parent, session in rows})


class Tracker(OwnershipTracker):
    """A tracker with made-up ranks; None stands for an unknown owner."""

    def __init__(self, **ranks: int | None) -> None:
        super().__init__(KEEPER)
        self.ranks = {int(name.removeprefix("p")): rank for name, rank in ranks.items()}
        self.checked: list[int] = []

    def rank_of(self, pid: int) -> int | None:
        self.checked.append(pid)
        if self.ranks.get(pid, -1) is None:
            raise UnknownOwner
        return self.ranks.get(pid)


def look(tracker: OwnershipTracker, *rows: tuple[int, int, int]) -> ProcessOwnership:
    return tracker.look(WORKERS, processes=living(*rows))


def test_a_worker_owns_its_descendants() -> None:
    found = look(Tracker(), (200, WORKER, WORKER), (201, 200, 201))
    assert found.of(0) == {WORKER, 200, 201}
    assert found.of(1) == {OTHER}
    assert found.of(2) == set()
    assert not found.undecided
    assert repr(found) == "<ProcessOwnership of 2 workers, undecided=0>"


def test_an_orphan_and_its_descendants_belong_to_the_worker_of_its_rank() -> None:
    found = look(Tracker(p200=1), (200, KEEPER, 200), (201, 200, 201))
    assert found.of(1) == {OTHER, 200, 201}
    assert found.of(0) == {WORKER}


def test_a_worker_owns_its_session_whose_ranks_are_not_read() -> None:
    tracker = Tracker(p200=None)
    found = look(tracker, (200, KEEPER, WORKER), (201, 200, 201))
    assert found.of(0) == {WORKER, 200, 201}
    assert not found.undecided
    assert tracker.checked == []


def test_a_dead_worker_leaves_its_session_and_its_orphans() -> None:
    tracker = Tracker(p201=0)
    processes = living((200, KEEPER, 109), (201, KEEPER, 201))
    assert tracker.look({OTHER: 1}, [(109, 0)], processes).of(0) == {200, 201}
    assert 200 not in tracker.checked


def test_a_process_that_reuses_the_id_of_a_dead_worker_is_not_its_own() -> None:
    processes = living((200, WORKER, WORKER))
    found = Tracker().look({WORKER: 5, OTHER: 1}, [(WORKER, 0)], processes)
    assert found.of(0) == set()
    assert found.of(5) == {WORKER, 200}


def test_an_orphan_without_a_known_owner_is_undecided() -> None:
    tracker = Tracker(p200=None)
    found = look(tracker, (200, KEEPER, 200))
    assert found.undecided == {200}
    assert found.of(0) == {WORKER}
    assert repr(tracker) == "<OwnershipTracker known=2 undecided=1>"
    tracker.ranks[200] = 0
    found = look(tracker, (200, KEEPER, 200))
    assert not found.undecided
    assert found.of(0) == {WORKER, 200}


@pytest.mark.parametrize("parent", [WORKER, KEEPER])
def test_the_owner_is_remembered_while_a_process_ends(parent: int) -> None:
    tracker = Tracker(p200=0)
    look(tracker, (200, parent, 200))
    tracker.ranks[200] = None
    assert look(tracker, (200, KEEPER, 200)).of(0) == {WORKER, 200}


def test_a_process_that_reuses_an_id_has_its_rank_read_again() -> None:
    tracker = Tracker(p200=0)
    look(tracker, (200, KEEPER, 200))
    tracker.ranks[200] = 1
    assert tracker.look(WORKERS, processes=living((200, KEEPER, 200), started=2)).of(1) == {OTHER, 200}
    assert tracker.checked == [200, 200]


def test_an_orphan_is_undecided_for_a_limited_time(monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = Tracker(p200=None)
    assert look(tracker, (200, KEEPER, 200)).undecided
    monkeypatch.setattr(process_ownership, "UNDECIDED_LIMIT_S", 0.0)
    assert not look(tracker, (200, KEEPER, 200)).undecided


def test_a_slow_inspection_is_followed_by_a_long_pause() -> None:
    assert ProcessOwnership({}).pause_s == 0.02
    assert ProcessOwnership({}, took_s=0.5).pause_s == 2.0


@pytest.mark.parametrize(
    ("environment", "rank"),
    [
        ({"PARSL_WORKER_RANK": "3"}, 3),
        ({"PARSL_WORKER_RANK": "three"}, None),
        ({"RANK": "3"}, None),
        ({}, None),
    ],
)
def test_a_program_has_its_rank_in_its_environment(
    environment: dict[str, str], rank: int | None, wait_until: WaitUntil
) -> None:
    with subprocess.Popen(["/bin/sleep", "60"], env=environment) as process:
        try:
            wait_until(lambda: has_known_owner(process.pid))
            assert rank_of(process.pid) == rank
        finally:
            process.kill()


def has_known_owner(pid: int) -> bool:
    """A process that is executing another program has no readable owner."""
    try:
        rank_of(pid)
    except UnknownOwner:
        return False
    return True


def test_the_owner_of_a_dead_process_is_unknown() -> None:
    process = subprocess.Popen(["/bin/sleep", "60"])
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(UnknownOwner):
        rank_of(process.pid)
    process.wait()
    with pytest.raises(UnknownOwner):
        rank_of(process.pid)
