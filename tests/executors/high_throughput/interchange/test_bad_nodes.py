"""A node on which worker after worker ends while tasks succeed elsewhere gets no more tasks, for a while."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.executors.high_throughput.interchange.bad_nodes import (
    FIRST_PAUSE_S,
    MAX_PAUSE_S,
    MIN_LOSSES,
    BadNodes,
    Change,
    Standing,
)


class Cluster:
    """Nodes that take tasks, and what becomes of these."""

    def __init__(self, *hosts: str) -> None:
        self.nodes = BadNodes()
        self.hosts: set[str] = set(hosts)
        self.now_s = 1000.0

    def succeed(self, host: str, times: int = 1) -> Change | None:
        return self.nodes.ended(host, times, 0, self.now_s, self._usable)

    def lose(self, host: str, times: int = 1) -> Change | None:
        """Workers end one by one. Returns: the last that follows from it."""
        change = None
        for _ in range(times):
            change = self.nodes.ended(host, 0, 1, self.now_s, self._usable) or change
        return change

    def look(self) -> list[Change]:
        return self.nodes.look(self.now_s, self.hosts)

    def spoil(self, host: str, others: str) -> Change:
        """Have a node set aside."""
        self.lose(host)
        self.succeed(others, 1000)
        change = self.lose(host, MIN_LOSSES - 1)
        assert change is not None
        return change

    def standing(self, host: str) -> Standing:
        return self.nodes.standing_of(host)

    def _usable(self) -> Collection[str]:
        return self.hosts


@pytest.fixture
def cluster() -> Cluster:
    return Cluster("bad", "good", "other")


def test_it_is_set_aside_and_users_are_told_once(cluster: Cluster) -> None:
    change = cluster.spoil("bad", "good")
    assert (change.host, change.standing, change.is_warning) == ("bad", Standing.QUARANTINED, True)
    assert "4 workers have ended there" in change.text
    assert "1000 tasks have succeeded on other nodes" in change.text
    assert cluster.standing("good") is Standing.GOOD
    assert cluster.nodes.has_bad
    assert repr(cluster.nodes) == "<BadNodes aside=1 of 1 with losses>"
    cluster.now_s += FIRST_PAUSE_S
    cluster.look()
    again = cluster.lose("bad")
    assert again is not None
    assert (again.standing, again.is_warning) == (Standing.QUARANTINED, False)


def test_one_task_that_takes_workers_along_is_not_enough(cluster: Cluster) -> None:
    cluster.lose("bad")
    cluster.succeed("good", 10_000)
    assert cluster.lose("bad", MIN_LOSSES - 2) is None


def test_a_success_in_between_speaks_for_the_node(cluster: Cluster) -> None:
    for _ in range(10):
        assert cluster.lose("bad", MIN_LOSSES - 1) is None
        cluster.succeed("good", 1000)
        cluster.succeed("bad")


def test_tasks_that_fail_everywhere_speak_against_no_node(cluster: Cluster) -> None:
    for _ in range(100):
        for host in cluster.hosts:
            assert cluster.lose(host) is None


def test_what_was_before_does_not_count(cluster: Cluster) -> None:
    """A workflow may come to a stage whose tasks crash."""
    cluster.succeed("good", 10_000)
    cluster.succeed("bad", 10_000)
    assert cluster.lose("bad", 100) is None


def test_the_more_is_lost_elsewhere_the_more_it_takes(cluster: Cluster) -> None:
    cluster.lose("bad")
    for _ in range(50):
        cluster.succeed("good")
        cluster.lose("good")
    assert cluster.lose("bad", 10) is None  # as likely as not, each time
    assert cluster.lose("bad", 20) is not None


def test_the_only_node_is_never_set_aside() -> None:
    cluster = Cluster("bad", "good")
    cluster.lose("bad")
    cluster.succeed("good", 1000)
    cluster.hosts = {"bad"}
    assert cluster.lose("bad", 100) is None


def test_it_is_tried_again_later_and_used_as_before_when_a_task_succeeds(cluster: Cluster) -> None:
    cluster.spoil("bad", "good")
    assert cluster.look() == []
    cluster.now_s += FIRST_PAUSE_S
    [trial] = cluster.look()
    assert (trial.host, trial.standing) == ("bad", Standing.ON_TRIAL)
    assert cluster.look() == []
    change = cluster.succeed("bad")
    assert change is not None
    assert (change.host, change.standing) == ("bad", Standing.GOOD)
    assert not cluster.nodes.has_bad


def test_each_time_it_is_set_aside_for_longer_up_to_a_limit(cluster: Cluster) -> None:
    cluster.spoil("bad", "good")
    pause_s = FIRST_PAUSE_S
    for _ in range(10):
        cluster.now_s += pause_s - 1
        assert cluster.look() == []
        cluster.now_s += 1
        assert [change.standing for change in cluster.look()] == [Standing.ON_TRIAL]
        assert cluster.lose("bad") is not None
        pause_s = min(2 * pause_s, MAX_PAUSE_S)
    assert pause_s == MAX_PAUSE_S


def test_what_it_still_had_when_it_was_set_aside_changes_nothing(cluster: Cluster) -> None:
    cluster.spoil("bad", "good")
    assert cluster.lose("bad", 50) is None
    assert cluster.succeed("bad") is None
    assert cluster.standing("bad") is Standing.QUARANTINED


def test_when_the_others_have_gone_it_is_used_as_before_at_once(cluster: Cluster) -> None:
    cluster.spoil("bad", "good")
    cluster.hosts = {"bad"}
    [change] = cluster.look()
    assert (change.host, change.standing) == ("bad", Standing.GOOD)


def test_a_node_that_has_gone_is_left_alone(cluster: Cluster) -> None:
    cluster.spoil("bad", "good")
    cluster.hosts = {"good", "other"}
    cluster.now_s += 10 * FIRST_PAUSE_S
    assert cluster.look() == []
    assert cluster.standing("bad") is Standing.QUARANTINED


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30), st.integers(0, 30), st.floats(0, 200))))
def test_some_node_can_always_be_used(events: list[tuple[str, int, int, float]]) -> None:
    cluster = Cluster(*"abc")
    for host, succeeded, lost, passed_s in events:
        cluster.now_s += passed_s
        cluster.nodes.ended(host, succeeded, lost, cluster.now_s, cluster._usable)
        assert any(cluster.standing(each) is Standing.GOOD for each in "abc")
        cluster.look()


def test_what_is_known_can_be_taken_over_by_another(cluster: Cluster) -> None:
    cluster.spoil("bad", "good")
    cluster.now_s += 20
    times, left_s = cluster.nodes.times_and_left("bad", cluster.now_s)
    assert (times, left_s) == (1, FIRST_PAUSE_S - 20)
    assert cluster.nodes.times_and_left("good", cluster.now_s) == (0, None)
    after = Cluster("bad", "good")
    after.nodes.restore("bad", times, left_s, after.now_s)
    assert after.standing("bad") is Standing.QUARANTINED
    after.now_s += FIRST_PAUSE_S - 20
    assert [change.standing for change in after.look()] == [Standing.ON_TRIAL]
    assert after.nodes.times_and_left("bad", after.now_s) == (1, 0.0)
    third = Cluster("bad", "good")
    third.nodes.restore("bad", 1, 0.0, third.now_s)
    assert third.standing("bad") is Standing.ON_TRIAL
    again = third.lose("bad")
    assert again is not None
    assert third.nodes.times_and_left("bad", third.now_s) == (2, 2 * FIRST_PAUSE_S)


def test_a_node_that_is_good_again_keeps_what_it_has_done(cluster: Cluster) -> None:
    cluster.nodes.restore("bad", 3, None, cluster.now_s)
    assert cluster.standing("bad") is Standing.GOOD
    cluster.spoil("bad", "good")
    assert cluster.nodes.times_and_left("bad", cluster.now_s) == (4, 8 * FIRST_PAUSE_S)
