"""Whose connection has closed is known, in whatever order messages and closings are told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parsl.executors.high_throughput.interchange.remote_links import Peers


def test_a_connection_that_closes_is_its_managers() -> None:
    peers = Peers()
    assert peers.learn(b"a", 7) is None
    assert peers.learn(b"b", 8) is None
    assert peers.closed(7) == b"a"
    assert peers.closed(7) is None
    assert b"a" not in peers
    assert repr(peers) == "<Peers known=1>"


def test_a_connection_over_which_no_manager_came_is_nobodys() -> None:
    assert Peers().closed(9) is None


def test_a_number_that_was_used_again_betrays_the_first_ones_end() -> None:
    peers = Peers()
    peers.learn(b"a", 7)
    assert peers.learn(b"b", 7) == b"a"
    assert peers.closed(7) == b"b"  # told late: it is tried, answers, and is learned again
    assert peers.learn(b"b", 7) is None


def test_one_that_has_another_connection_now_is_not_taken_for_gone_with_the_first() -> None:
    peers = Peers()
    peers.learn(b"a", 7)
    peers.forget(b"a")
    peers.learn(b"a", 8)
    assert peers.closed(7) is None
    assert peers.closed(8) == b"a"


@given(
    st.lists(
        st.tuples(st.sampled_from(["learn", "closed", "forget"]), st.integers(0, 3), st.integers(0, 3)),
        max_size=30,
    )
)
def test_nobody_that_was_known_goes_unmentioned(steps: list[tuple[str, int, int]]) -> None:
    """Whoever is not known any more was named, or forgotten on request."""
    peers = Peers()
    known: dict[bytes, int] = {}
    for what, number, fd in steps:
        name = bytes([number])
        if what == "learn":
            losers = {other for other, theirs in known.items() if theirs == fd and other != name}
            assert peers.learn(name, fd) == (losers.pop() if losers else None)
            known = {other: theirs for other, theirs in known.items() if theirs != fd}
            known[name] = fd
        elif what == "closed":
            owner = next((other for other, theirs in known.items() if theirs == fd), None)
            assert peers.closed(fd) == owner
            known.pop(owner or b"", None)
        else:
            peers.forget(name)
            known.pop(name, None)
        assert {other for other in map(bytes, ([n] for n in range(4))) if other in peers} == known.keys()
