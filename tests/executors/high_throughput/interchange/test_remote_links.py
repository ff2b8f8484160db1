"""A closed connection is matched with its manager, whatever the order of messages and closings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parsl.executors.high_throughput.interchange.remote_links import Peers


def test_a_closed_connection_names_its_manager() -> None:
    peers = Peers()
    assert peers.learn(b"a", 7) is None
    assert peers.learn(b"b", 8) is None
    assert peers.closed(7) == b"a"
    assert peers.closed(7) is None
    assert b"a" not in peers
    assert repr(peers) == "<Peers known=1>"


def test_a_connection_without_a_manager_names_none() -> None:
    assert Peers().closed(9) is None


def test_a_reused_descriptor_reveals_that_the_earlier_connection_has_closed() -> None:
    peers = Peers()
    peers.learn(b"a", 7)
    assert peers.learn(b"b", 7) == b"a"
    assert peers.closed(7) == b"b"  # late: the manager replies to a probe
    assert peers.learn(b"b", 7) is None


def test_the_end_of_an_earlier_connection_does_not_count() -> None:
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
def test_every_known_manager_is_reported_or_forgotten_on_request(steps: list[tuple[str, int, int]]) -> None:
    """A manager that is no longer known was returned before, or forgotten on request."""
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
