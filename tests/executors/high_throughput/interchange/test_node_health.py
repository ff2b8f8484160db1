"""A node on which worker after worker is lost while tasks succeed elsewhere gets no tasks for a while."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.executors.high_throughput.interchange.manager import Manager
from parsl.executors.high_throughput.interchange.matching import WorkerMatching
from parsl.executors.high_throughput.interchange.node_health import (
    FIRST_QUARANTINE_S,
    MAX_QUARANTINE_S,
    MIN_LOSSES,
    Change,
    NodeHealth,
    NodeStandings,
    Standing,
)
from parsl.executors.high_throughput.interchange.state import InterchangeState, Restoration
from parsl.executors.high_throughput.manager_selector import RandomManagerSelector
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.protocol import (
    DONE,
    FAILED,
    Failure,
    NodeStanding,
    Result,
    Task,
    failed,
)
from tests.executors.high_throughput.interchange.fakes import FakeDriver, join, register


class Cluster:
    """Nodes whose tasks succeed or are lost with their workers."""

    def __init__(self, *hosts: str) -> None:
        self.nodes = NodeStandings()
        self.hosts: set[str] = set(hosts)
        self.now_s = 1000.0

    def succeed(self, host: str, times: int = 1) -> Change | None:
        return self.nodes.ended(host, times, 0, self.now_s, self.hosts)

    def lose(self, host: str, times: int = 1) -> Change | None:
        """Lose workers one by one.

        Returns:
            The last change of the node's standing.
        """
        change = None
        for _ in range(times):
            change = self.nodes.ended(host, 0, 1, self.now_s, self.hosts) or change
        return change

    def review(self) -> list[Change]:
        return self.nodes.review(self.now_s, self.hosts)

    def spoil(self, host: str, others: str) -> Change:
        """Lose workers until a node is quarantined."""
        self.lose(host)
        self.succeed(others, 1000)
        change = self.lose(host, MIN_LOSSES - 1)
        assert change is not None
        return change

    def standing(self, host: str) -> Standing:
        return self.nodes.of(host)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster("bad", "good", "other")


def test_a_bad_node_is_quarantined_and_users_are_warned_once(cluster: Cluster) -> None:
    change = cluster.spoil("bad", "good")
    assert (change.host, change.standing, change.is_warning) == ("bad", Standing.QUARANTINED, True)
    assert "4 workers in a row were lost there" in change.text
    assert "1000 tasks succeeded on other nodes" in change.text
    assert cluster.standing("good") is Standing.GOOD
    assert cluster.nodes.has_bad
    assert repr(cluster.nodes) == "<NodeStandings quarantined=1 of 1 with losses>"
    cluster.now_s += FIRST_QUARANTINE_S
    cluster.review()
    again = cluster.lose("bad")
    assert again is not None
    assert (again.standing, again.is_warning) == (Standing.QUARANTINED, False)


def test_losses_that_one_task_can_cause_are_not_enough(cluster: Cluster) -> None:
    cluster.lose("bad")
    cluster.succeed("good", 10_000)
    assert cluster.lose("bad", MIN_LOSSES - 2) is None


def test_a_success_ends_the_series_of_losses(cluster: Cluster) -> None:
    for _ in range(10):
        assert cluster.lose("bad", MIN_LOSSES - 1) is None
        cluster.succeed("good", 1000)
        cluster.succeed("bad")


def test_losses_on_all_nodes_count_against_none(cluster: Cluster) -> None:
    for _ in range(100):
        for host in cluster.hosts:
            assert cluster.lose(host) is None


def test_earlier_successes_do_not_count(cluster: Cluster) -> None:
    """A workflow may reach a stage whose tasks crash."""
    cluster.succeed("good", 10_000)
    cluster.succeed("bad", 10_000)
    assert cluster.lose("bad", 100) is None


def test_losses_elsewhere_raise_the_threshold(cluster: Cluster) -> None:
    cluster.lose("bad")
    for _ in range(50):
        cluster.succeed("good")
        cluster.lose("good")
    assert cluster.lose("bad", 10) is None  # with equal probability each time
    assert cluster.lose("bad", 20) is not None


def test_the_only_node_is_never_quarantined() -> None:
    cluster = Cluster("bad", "good")
    cluster.lose("bad")
    cluster.succeed("good", 1000)
    cluster.hosts = {"bad"}
    assert cluster.lose("bad", 100) is None


def test_a_success_on_trial_restores_good_standing(cluster: Cluster) -> None:
    cluster.spoil("bad", "good")
    assert cluster.review() == []
    cluster.now_s += FIRST_QUARANTINE_S
    [trial] = cluster.review()
    assert (trial.host, trial.standing) == ("bad", Standing.ON_TRIAL)
    assert cluster.review() == []
    change = cluster.succeed("bad")
    assert change is not None
    assert (change.host, change.standing) == ("bad", Standing.GOOD)
    assert not cluster.nodes.has_bad


def test_each_quarantine_is_longer_up_to_a_limit(cluster: Cluster) -> None:
    cluster.spoil("bad", "good")
    quarantine_s = FIRST_QUARANTINE_S
    for _ in range(10):
        cluster.now_s += quarantine_s - 1
        assert cluster.review() == []
        cluster.now_s += 1
        assert [change.standing for change in cluster.review()] == [Standing.ON_TRIAL]
        assert cluster.lose("bad") is not None
        quarantine_s = min(2 * quarantine_s, MAX_QUARANTINE_S)
    assert quarantine_s == MAX_QUARANTINE_S


def test_results_during_the_quarantine_change_nothing(cluster: Cluster) -> None:
    cluster.spoil("bad", "good")
    assert cluster.lose("bad", 50) is None
    assert cluster.succeed("bad") is None
    assert cluster.standing("bad") is Standing.QUARANTINED


def test_the_last_node_left_is_used_at_once(cluster: Cluster) -> None:
    cluster.spoil("bad", "good")
    cluster.hosts = {"bad"}
    [change] = cluster.review()
    assert (change.host, change.standing) == ("bad", Standing.GOOD)


def test_a_node_that_is_gone_stays_quarantined(cluster: Cluster) -> None:
    cluster.spoil("bad", "good")
    cluster.hosts = {"good", "other"}
    cluster.now_s += 10 * FIRST_QUARANTINE_S
    assert cluster.review() == []
    assert cluster.standing("bad") is Standing.QUARANTINED


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30), st.integers(0, 30), st.floats(0, 200))))
def test_some_node_can_always_be_used(events: list[tuple[str, int, int, float]]) -> None:
    cluster = Cluster(*"abc")
    for host, succeeded, lost, passed_s in events:
        cluster.now_s += passed_s
        cluster.nodes.ended(host, succeeded, lost, cluster.now_s, cluster.hosts)
        assert any(cluster.standing(each) is Standing.GOOD for each in "abc")
        cluster.review()


def test_a_replacement_continues_with_the_standings(cluster: Cluster) -> None:
    cluster.spoil("bad", "good")
    cluster.now_s += 20
    known = cluster.nodes.export("bad", cluster.now_s)
    assert known == NodeStanding("bad", 1, FIRST_QUARANTINE_S - 20)
    assert cluster.nodes.export("good", cluster.now_s) == NodeStanding("good", 0, None)
    after = Cluster("bad", "good")
    after.nodes.restore(known, after.now_s)
    assert after.standing("bad") is Standing.QUARANTINED
    after.now_s += FIRST_QUARANTINE_S - 20
    assert [change.standing for change in after.review()] == [Standing.ON_TRIAL]
    assert after.nodes.export("bad", after.now_s) == NodeStanding("bad", 1, 0.0)
    third = Cluster("bad", "good")
    third.nodes.restore(NodeStanding("bad", 1, 0.0), third.now_s)
    assert third.standing("bad") is Standing.ON_TRIAL
    assert third.lose("bad") is not None
    assert third.nodes.export("bad", third.now_s) == NodeStanding("bad", 2, 2 * FIRST_QUARANTINE_S)


def test_a_node_in_good_standing_keeps_its_history(cluster: Cluster) -> None:
    cluster.nodes.restore(NodeStanding("bad", 3, None), cluster.now_s)
    assert cluster.standing("bad") is Standing.GOOD
    cluster.spoil("bad", "good")
    assert cluster.nodes.export("bad", cluster.now_s) == NodeStanding("bad", 4, 8 * FIRST_QUARANTINE_S)


class Machine:
    """Managers with two workers each, and an interchange's state."""

    def __init__(self, known: Sequence[NodeStanding] = (), restoration: Restoration | None = None) -> None:
        self.state = InterchangeState(WorkerMatching(RandomManagerSelector()), restoration)
        self.driver = FakeDriver()
        self.health = NodeHealth(self.state, self.driver.link, known, 0.0)

    def join(self, name: str, host: str) -> Manager:
        manager = join(self.state, register(name, host=host))
        self.health.registered(manager)
        return manager

    def lose(self, manager: Manager, kind: str = protocol.WORKER_LOST) -> None:
        self.health.finished(manager, [failed(1, Failure(kind, "gone"))], 0)

    def spoil(self, bad: Manager, good: Manager, kind: str = protocol.WORKER_LOST) -> None:
        for _ in range(MIN_LOSSES):
            self.lose(bad, kind)
            self.health.finished(good, [Result(1, DONE, b"")] * 1000, 0)

    def given(self, count: int) -> dict[str, int]:
        """Submit tasks.

        Returns:
            How many each manager gets.
        """
        self.state.add_tasks([Task(number, b"", b"") for number in range(count)])
        return {manager.name: len(tasks) for manager, tasks in self.state.match(0)}


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_present_and_later_managers_of_a_bad_node_get_nothing(machine: Machine) -> None:
    bad, good = machine.join("m1", "bad"), machine.join("m2", "good")
    machine.spoil(bad, good)
    machine.join("m3", "bad")
    assert machine.given(10) == {"m2": 2}
    [news] = machine.driver.messages()
    assert (news.host, news.is_warning) == ("bad", True)
    assert repr(machine.health) == "<NodeHealth <NodeStandings quarantined=1 of 1 with losses>>"


def test_on_trial_a_manager_gets_one_task_and_then_as_many_as_it_has_room_for(machine: Machine) -> None:
    bad, good = machine.join("m1", "bad"), machine.join("m2", "good")
    machine.spoil(bad, good)
    machine.health.review(FIRST_QUARANTINE_S)
    assert machine.given(10) == {"m1": 1, "m2": 2}
    machine.health.finished(bad, [Result(1, DONE, b"")], FIRST_QUARANTINE_S)
    assert machine.given(0) == {"m1": 1}
    assert [news.is_warning for news in machine.driver.messages()] == [True, False, False]


def test_a_bad_node_is_used_when_no_other_is_left(machine: Machine) -> None:
    bad, good = machine.join("m1", "bad"), machine.join("m2", "good")
    machine.spoil(bad, good)
    good.draining = True
    machine.health.review(0)
    assert machine.given(10) == {"m1": 2}


@pytest.mark.parametrize("kind", [protocol.TIMED_OUT, protocol.CANCELLED, protocol.OVER_MEMORY])
def test_failures_of_the_task_itself_do_not_count(machine: Machine, kind: str) -> None:
    bad, good = machine.join("m1", "bad"), machine.join("m2", "good")
    machine.spoil(bad, good, kind)
    assert machine.driver.messages() == []


def test_an_unreadable_failure_does_not_count(machine: Machine) -> None:
    bad, good = machine.join("m1", "bad"), machine.join("m2", "good")
    for _ in range(MIN_LOSSES):
        machine.health.finished(bad, [Result(1, FAILED, b"garbage")], 0)
        machine.health.finished(good, [Result(1, DONE, b"")] * 1000, 0)
    assert machine.driver.messages() == []


def test_a_replacement_continues_with_what_the_lost_interchange_reported(machine: Machine) -> None:
    bad, good = machine.join("m1", "bad"), machine.join("m2", "good")
    machine.spoil(bad, good)
    [news] = machine.driver.messages()
    assert news.standing == NodeStanding("bad", 1, FIRST_QUARANTINE_S)
    restoration = Restoration({"m1": "0", "m2": "0"})
    restoration.is_complete = True
    other = Machine([news.standing], restoration)
    other.join("m1", "bad")
    other.health.review(0)  # the other node has not registered yet
    other.join("m2", "good")
    assert other.state.end_restoration()
    other.health.review(0)
    assert other.given(10) == {"m2": 2}
    assert other.driver.messages() == []
