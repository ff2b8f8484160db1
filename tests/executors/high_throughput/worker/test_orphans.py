"""What belongs to whom below a fork server, on made-up tables of processes."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from parsl.common.process_tree import Processes
from parsl.common.processes import ProcessEntry
from parsl.executors.high_throughput.worker import orphans
from parsl.executors.high_throughput.worker.orphans import CannotTell, Orphans, ProcessOwnership, rank_of

if TYPE_CHECKING:
    from tests.conftest import WaitUntil

KEEPER, WORKER, OTHER = 100, 110, 111
WORKERS = {WORKER: 0, OTHER: 1}


def living(*rows: tuple[int, int, int], started: int = 1) -> Processes:
    """The keeper, its workers, and processes by (pid, parent, session)."""
    rows = ((KEEPER, 1, 1), (WORKER, KEEPER, WORKER), (OTHER, KEEPER, OTHER), *rows)
    return Processes({pid: ProcessEntry(pid, parent, pid, session, started) for pid, parent, session in rows})


class Ranks:
    """What shows under whom a process was started; None for what cannot be told."""

    def __init__(self, **ranks: int | None) -> None:
        self.ranks = {int(name.removeprefix("p")): rank for name, rank in ranks.items()}
        self.asked: list[int] = []

    def __call__(self, pid: int) -> int | None:
        self.asked.append(pid)
        if self.ranks.get(pid, -1) is None:
            raise CannotTell
        return self.ranks.get(pid)


def look(known: Orphans, *rows: tuple[int, int, int]) -> ProcessOwnership:
    return known.look(WORKERS, processes=living(*rows))


def test_all_below_a_worker_is_its_own() -> None:
    found = look(Orphans(KEEPER, Ranks()), (200, WORKER, WORKER), (201, 200, 201))
    assert found.of(0) == {WORKER, 200, 201}
    assert found.of(1) == {OTHER}
    assert found.of(2) == set()
    assert not found.doubtful
    assert repr(found) == "<ProcessOwnership of 2 workers, doubtful=0>"


def test_an_orphan_is_whose_rank_it_has_with_all_below_it() -> None:
    found = look(Orphans(KEEPER, Ranks(p200=1)), (200, KEEPER, 200), (201, 200, 201))
    assert found.of(1) == {OTHER, 200, 201}
    assert found.of(0) == {WORKER}


def test_the_session_of_a_worker_is_its_own_and_nobody_is_asked() -> None:
    ranks = Ranks(p200=None)
    found = look(Orphans(KEEPER, ranks), (200, KEEPER, WORKER), (201, 200, 201))
    assert found.of(0) == {WORKER, 200, 201}
    assert not found.doubtful
    assert ranks.asked == []


def test_of_a_dead_worker_there_are_its_session_and_its_orphans() -> None:
    ranks = Ranks(p201=0)
    processes = living((200, KEEPER, 109), (201, KEEPER, 201))
    assert Orphans(KEEPER, ranks).look({OTHER: 1}, [(109, 0)], processes).of(0) == {200, 201}
    assert 200 not in ranks.asked


def test_who_has_got_the_id_of_a_dead_worker_is_not_its_own() -> None:
    processes = living((200, WORKER, WORKER))
    found = Orphans(KEEPER, Ranks()).look({WORKER: 5, OTHER: 1}, [(WORKER, 0)], processes)
    assert found.of(0) == set()
    assert found.of(5) == {WORKER, 200}


def test_what_cannot_be_told_is_doubtful_until_it_can() -> None:
    ranks = Ranks(p200=None)
    known = Orphans(KEEPER, ranks)
    found = look(known, (200, KEEPER, 200))
    assert found.doubtful == {200}
    assert found.of(0) == {WORKER}
    assert repr(known) == "<Orphans known=2 doubtful=1>"
    ranks.ranks[200] = 0
    found = look(known, (200, KEEPER, 200))
    assert not found.doubtful
    assert found.of(0) == {WORKER, 200}


@pytest.mark.parametrize("parent", [WORKER, KEEPER])
def test_whose_it_was_is_kept_in_mind_while_it_ends(parent: int) -> None:
    ranks = Ranks(p200=0)
    known = Orphans(KEEPER, ranks)
    look(known, (200, parent, 200))
    ranks.ranks[200] = None
    assert look(known, (200, KEEPER, 200)).of(0) == {WORKER, 200}


def test_who_has_got_the_id_of_another_is_asked_anew() -> None:
    ranks = Ranks(p200=0)
    known = Orphans(KEEPER, ranks)
    look(known, (200, KEEPER, 200))
    ranks.ranks[200] = 1
    assert known.look(WORKERS, processes=living((200, KEEPER, 200), started=2)).of(1) == {OTHER, 200}
    assert ranks.asked == [200, 200]


def test_doubt_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Orphans(KEEPER, Ranks(p200=None))
    assert look(known, (200, KEEPER, 200)).doubtful
    monkeypatch.setattr(orphans, "DOUBT_LIMIT_S", 0.0)
    assert not look(known, (200, KEEPER, 200)).doubtful


def test_a_look_that_takes_long_is_not_taken_soon_again() -> None:
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
            wait_until(lambda: is_told(process.pid))
            assert rank_of(process.pid) == rank
        finally:
            process.kill()


def is_told(pid: int) -> bool:
    """It is not while the process is becoming a program."""
    try:
        rank_of(pid)
    except CannotTell:
        return False
    return True


def test_of_the_dead_nothing_can_be_told() -> None:
    process = subprocess.Popen(["/bin/sleep", "60"])
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(CannotTell):
        rank_of(process.pid)
    process.wait()
    with pytest.raises(CannotTell):
        rank_of(process.pid)
