"""No node has two tasks, and none is lost."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from parsl.executors.high_throughput.manager.state import NodePool


def test_nodes_are_taken_in_order_and_released_once() -> None:
    pool = NodePool(["a", "b", "c", "d"])
    assert pool.take(1, 1) == ("a",)
    assert pool.take(2, 2) == ("b", "c")
    assert pool.take(3, 2) is None
    assert pool.release(1)
    assert not pool.release(1)
    assert pool.take(3, 2) == ("a", "d")
    assert repr(pool) == "<NodePool nodes=4 free=0 tasks=2>"
    assert pool.release(2)
    assert pool.free == 2


def test_a_task_keeps_its_nodes() -> None:
    pool = NodePool(["a", "b"])
    assert pool.take(1, 1) == pool.take(1, 1) == pool.of(1) == ("a",)
    assert pool.of(2) == ()


def test_tasks_share_a_node_until_the_last_has_ended() -> None:
    pool = NodePool(["a", "b"])
    assert pool.take(1, 1, shared_node=1) == ("a",)
    assert pool.take(2, 1, shared_node=1) == ("a",)
    assert pool.take(3, 1, shared_node=3) == ("b",)
    assert pool.take(4, 1) is None
    pool.validate()
    assert pool.release(1)
    assert pool.free == 0
    assert pool.of(2) == ("a",)
    assert pool.release(2)
    assert pool.free == 1
    assert pool.take(5, 1, shared_node=1) == ("a",)  # the interchange did not know of the end yet


def test_nodes_of_the_same_name_are_refused() -> None:
    with pytest.raises(ValueError, match="not all different"):
        NodePool(["a", "b", "a"])


class Pool(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.pool = NodePool([f"n{number}" for number in range(6)])
        self.expected: dict[int, tuple[str, ...]] = {}

    @rule(task=st.integers(0, 9), count=st.integers(0, 8))
    def take(self, task: int, count: int) -> None:
        had, free = self.expected.get(task), self.pool.free
        nodes = self.pool.take(task, count)
        if had is not None:
            assert nodes == had
        elif 1 <= count <= free:
            assert nodes is not None
            assert len(nodes) == count
            assert not {name for names in self.expected.values() for name in names} & set(nodes)
            self.expected[task] = nodes
        else:
            assert nodes is None

    @rule(task=st.integers(0, 9))
    def release(self, task: int) -> None:
        assert self.pool.release(task) == (self.expected.pop(task, None) is not None)

    @invariant()
    def nothing_is_lost(self) -> None:
        self.pool.validate()
        assert self.pool.free == 6 - sum(map(len, self.expected.values()))


TestPool = Pool.TestCase
