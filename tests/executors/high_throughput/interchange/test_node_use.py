"""The nodes that tasks use, of their own or shared."""

from __future__ import annotations

from parsl.executors.high_throughput.interchange.node_use import NodeUse
from parsl.executors.high_throughput.wire.protocol import Resources, Task


def task(number: int, nodes: int = 1, ranks: int = 1, shared_node: int | None = None) -> Task:
    return Task(number, b"f", b"", resources=Resources(nodes, ranks, nodes * ranks, "", shared_node))


def test_a_shared_node_counts_until_its_last_task_has_ended() -> None:
    use = NodeUse()
    for each in (task(1, 3), task(2, 1, 2, shared_node=2), task(3, 1, 4, shared_node=2)):
        use.add(each)
    assert (use.count, use.ranks()) == (4, {2: 6})
    assert repr(use) == "<NodeUse nodes=4 tasks=3>"
    use.remove([1, 2, 77])
    assert (use.count, use.ranks()) == (1, {2: 4})
    use.remove([3])
    assert (use.count, use.ranks()) == (0, {})


def test_the_tasks_of_an_earlier_registration_are_counted_too() -> None:
    before, use = NodeUse(), NodeUse()
    before.add(task(1, 2))
    before.add(task(2, 1, 2, shared_node=2))
    use.update(before)
    assert (use.count, use.ranks()) == (3, {2: 2})
    before.remove([2])
    assert use.ranks() == {2: 2}
