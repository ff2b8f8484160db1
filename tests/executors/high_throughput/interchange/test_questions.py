"""The driver's questions: answered at once, when managers have spoken, or when it is known who they are."""

from __future__ import annotations

from typing import Any

import pytest

from parsl.executors.high_throughput.interchange.package_survey import PATIENCE_S
from parsl.executors.high_throughput.interchange.questions import Questions
from parsl.executors.high_throughput.interchange.restoration import Restoration
from parsl.executors.high_throughput.interchange.state import InterchangeState
from parsl.executors.high_throughput.manager_selector import RandomManagerSelector
from parsl.executors.high_throughput.wire.protocol import (
    Answer,
    Packages,
    Query,
    Register,
    ReportPackages,
    encode,
)


class Talk:
    """Questions, with what is said to the driver and to managers."""

    def __init__(self) -> None:
        self.state = InterchangeState(RandomManagerSelector())
        self.said: list[Answer] = []
        self.told: list[tuple[bytes, list[Any]]] = []
        self.questions = Questions(
            self.state, self.said.append, lambda name, parts: self.told.append((name, parts))
        )

    def join(self, name: str) -> None:
        self.state.register(name.encode(), Register(1, name, "v", "3", "host", "0", 1, 2, 2), 0.0)


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_who_is_there_is_answered_at_once(talk: Talk) -> None:
    talk.join("m1")
    talk.questions.ask(Query(5, "managers"), 1.0)
    assert [(answer.number, [info.manager for info in answer.managers]) for answer in talk.said] == [
        (5, ["m1"])
    ]


def test_what_is_installed_is_answered_when_all_have_said_it(talk: Talk) -> None:
    talk.join("m1")
    talk.join("m2")
    talk.questions.ask(Query(1, "packages"), 0.0)
    assert talk.told == [(b"m1", [encode(ReportPackages())]), (b"m2", [encode(ReportPackages())])]
    talk.questions.answered(b"m1", Packages({"numpy": "2"}), 1.0)
    assert not talk.said
    assert talk.questions.wait_for_managers
    talk.questions.answered(b"m2", Packages({"numpy": "1"}), 1.0)
    assert talk.said[0].packages == {"m1": {"numpy": "2"}, "m2": {"numpy": "1"}}
    assert not talk.questions.wait_for_managers


def test_one_that_says_nothing_is_waited_for_so_long(talk: Talk) -> None:
    talk.join("m1")
    talk.questions.ask(Query(1, "packages"), 0.0)
    talk.questions.look(PATIENCE_S / 2)
    assert not talk.said
    talk.questions.look(PATIENCE_S)
    assert [answer.number for answer in talk.said] == [1]


def test_one_that_is_gone_is_not_waited_for(talk: Talk) -> None:
    talk.join("m1")
    talk.questions.ask(Query(1, "packages"), 0.0)
    talk.questions.forget(b"m1")
    talk.questions.look(0.0)
    assert [answer.number for answer in talk.said] == [1]


def test_in_a_lost_interchanges_place_it_is_found_out_first_who_is_there(talk: Talk) -> None:
    talk.state.restoration = Restoration({"m1": "0"})
    talk.questions.ask(Query(1, "managers"), 0.0)
    assert not talk.said
    talk.state.restoration = None
    talk.join("m1")
    talk.questions.ask_postponed(1.0)
    assert [len(answer.managers) for answer in talk.said] == [1]
