"""MPI tasks start in order, with backfill and without starvation."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.executors.high_throughput.interchange.node_queue import MAX_OVERTAKEN, NodeQueue, Room
from parsl.executors.high_throughput.wire.protocol import Resources, Task


def task(number: int, nodes: int = 1, priority: float | None = None) -> Task:
    return Task(number, b"f", b"", priority=priority, resources=Resources(nodes, 1, nodes))


def room(free: int, nodes: int = 4, slots: int = 4, name: bytes = b"m") -> Room:
    return Room(name, nodes, free, slots)


def small(number: int, ranks: int, nodes: int = 1) -> Task:
    return Task(number, b"f", b"", resources=Resources(nodes, ranks, nodes * ranks))


def shared_nodes(placed: list[tuple[bytes, Task]]) -> dict[int, int | None]:
    return {task.id: task.resources and task.resources.shared_node for _, task in placed}


def test_tasks_share_a_node_while_their_ranks_fit() -> None:
    waiting = NodeQueue(max_ranks=8)
    waiting.extend([small(1, 4), small(2, 3), small(3, 2), small(4, 8), small(5, 1), small(6, 2, nodes=2)])
    manager = room(5, nodes=5, slots=9)
    assert shared_nodes(waiting.place([manager])) == {1: 1, 2: 1, 3: 3, 4: None, 5: 1, 6: None}
    assert (manager.free_nodes, manager.shared) == (0, {1: 0, 3: 6})


def test_a_task_joins_the_fullest_shared_node_that_fits_and_opens_no_other() -> None:
    waiting = NodeQueue(max_ranks=8)
    waiting.extend([small(10, 2)])
    almost_full, other = room(0, name=b"a"), room(4, name=b"b")
    almost_full.shared = {1: 5, 2: 3, 3: 1}
    [(name, placed)] = waiting.place([other, almost_full])
    assert (name, placed.resources and placed.resources.shared_node) == (b"a", 2)
    assert almost_full.shared == {1: 5, 2: 1, 3: 1}


def test_no_node_is_shared_unless_the_user_allows_it() -> None:
    waiting = queue(small(1, 1), small(2, 1))
    assert shared_nodes(waiting.place([room(4)])) == {1: None, 2: None}


def test_small_tasks_on_shared_nodes_do_not_starve_a_large_one() -> None:
    waiting = NodeQueue(max_ranks=8)
    waiting.extend([small(0, 1, nodes=4)])
    for number in range(1, 40):
        waiting.extend([small(number, 1)])
        manager = room(3)
        manager.shared = {99: 4}
        if not waiting.place([manager]):
            break
    assert number == 4 * MAX_OVERTAKEN + 1
    assert ids(waiting.place([room(4)])) == [0]


def queue(*tasks: Task) -> NodeQueue:
    made = NodeQueue()
    made.extend(tasks)
    return made


def ids(placed: list[tuple[bytes, Task]]) -> list[int]:
    return [task.id for _, task in placed]


def test_tasks_start_by_arrival_while_nodes_are_free() -> None:
    waiting = queue(task(1, 2), task(2), task(3), task(4))
    assert ids(waiting.place([room(4)])) == [1, 2, 3]
    assert len(waiting) == 1
    assert ids(waiting.place([room(0)])) == []
    assert ids(waiting.place([room(1)])) == [4]


def test_a_manager_needs_a_free_worker_too() -> None:
    waiting = queue(task(1), task(2))
    assert ids(waiting.place([room(4, slots=1)])) == [1]
    assert ids(waiting.place([room(4, slots=0)])) == []


def test_lower_priorities_start_first_and_tasks_without_one_last() -> None:
    waiting = queue(task(1), task(2, priority=5), task(3, priority=-1), task(4, priority=5))
    assert ids(waiting.place([room(4)])) == [3, 2, 4, 1]


def test_a_task_that_does_not_fit_is_overtaken_by_one_that_does() -> None:
    waiting = queue(task(1, 4), task(2), task(3, 2))
    assert ids(waiting.place([room(2)])) == [2]
    assert ids(waiting.place([room(2)])) == [3]


def test_a_task_is_overtaken_only_so_often() -> None:
    waiting = queue(task(0, 4))
    started = 0
    for number in range(1, 100):
        waiting.extend([task(number)])
        started += len(waiting.place([room(1)]))
    assert started == MAX_OVERTAKEN * 4
    assert ids(waiting.place([room(3)])) == []
    assert ids(waiting.place([room(4)]))[0] == 0


def test_the_next_task_of_a_size_ages_from_zero() -> None:
    waiting = queue(task(0, 2), task(1, 2), *(task(number) for number in range(2, 20)))
    assert [len(waiting.place([room(1)])) for _ in range(6)] == [1, 1, 1, 1, 0, 0]
    assert ids(waiting.place([room(2)])) == [0]
    assert [len(waiting.place([room(1)])) for _ in range(6)] == [1, 1, 1, 1, 0, 0]


def test_a_manager_is_kept_for_an_aged_task_while_others_continue() -> None:
    waiting = queue(task(0, 4), *(task(number) for number in range(1, 30)))
    for _ in range(MAX_OVERTAKEN * 4):
        waiting.place([room(1, name=b"a")])
    a, b = room(3, name=b"a"), room(1, name=b"b")
    assert [name for name, _ in waiting.place([a, b])] == [b"b"]
    assert a.free_nodes == 3


def test_the_kept_manager_stays_the_same_among_equals() -> None:
    waiting = queue(task(0, 4), *(task(number) for number in range(1, 60)))
    for _ in range(MAX_OVERTAKEN * 4):
        waiting.place([room(1, name=b"b")])
    assert [name for name, _ in waiting.place([room(1, name=b"a"), room(2, name=b"b")])] == [b"a"]
    assert [name for name, _ in waiting.place([room(2, name=b"a"), room(2, name=b"b")])] == [b"a", b"a"]
    assert ids(waiting.place([room(0, name=b"a"), room(4, name=b"b")])) == [0]


def test_urgent_tasks_start_even_on_a_kept_manager() -> None:
    waiting = queue(task(0, 4), *(task(number) for number in range(1, 30)))
    for _ in range(MAX_OVERTAKEN * 4):
        waiting.place([room(1)])
    waiting.extend([task(99, priority=1)])
    assert ids(waiting.place([room(2)])) == [99]


def test_a_manager_that_is_too_small_is_not_kept() -> None:
    waiting = queue(task(0, 4), *(task(number) for number in range(1, 30)))
    for _ in range(MAX_OVERTAKEN * 4 + 5):
        assert len(waiting.place([room(1, nodes=2)])) == 1


def test_a_task_goes_to_the_manager_with_the_fewest_free_nodes() -> None:
    waiting = queue(task(1, 2), task(2, 2))
    rooms = [room(4, name=b"a"), room(2, name=b"b"), room(3, name=b"c")]
    assert [name for name, _ in waiting.place(rooms)] == [b"b", b"c"]


def test_a_dropped_task_never_starts() -> None:
    waiting = queue(task(1), task(2), task(3, 2))
    waiting.drop(1)
    waiting.drop(3)
    assert len(waiting) == 1
    assert ids(waiting.place([room(4)])) == [2]
    assert repr(waiting) == "<NodeQueue tasks=0 sizes=[]>"


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("managers", [1, 3])
def test_a_task_for_the_whole_block_starts_after_limited_small_ones(seed: int, managers: int) -> None:
    """Small tasks keep arriving and end in any order: the bound is that of the scheduling rules."""
    chance = random.Random(seed)
    names = [b"%d" % number for number in range(managers)]
    running: dict[bytes, list[int]] = {name: [1] * 4 for name in names}
    waiting = queue(task(0, 4))
    completions, number = 0, 1
    while True:
        waiting.extend([task(number), task(number + 1, 2)])
        number += 2
        name = chance.choice([name for name in names if running[name]])
        running[name].pop(chance.randrange(len(running[name])))
        completions += 1
        rooms = [room(4 - sum(running[name]), name=name) for name in names]
        placed = waiting.place(rooms)
        if 0 in ids(placed):
            break
        for name, started in placed:
            running[name].append(started.resources.num_nodes if started.resources else 1)
        assert completions < MAX_OVERTAKEN * 4 + 4 * managers * 10
    assert all(sum(sizes) <= 4 for sizes in running.values())


SIZES = st.sampled_from([1, 2, 4])


@given(st.lists(st.tuples(SIZES, st.sampled_from([None, 1, 2]))), st.integers(1, 3), st.randoms())
def test_all_tasks_run_once_and_no_manager_is_overfull(
    requests: list[tuple[int, float | None]], managers: int, chance: random.Random
) -> None:
    waiting = queue(*(task(number, nodes, priority) for number, (nodes, priority) in enumerate(requests)))
    running: dict[bytes, list[int]] = {b"%d" % number: [] for number in range(managers)}
    starts: Counter[int] = Counter()
    while len(waiting) or any(running.values()):
        rooms = [room(4 - sum(sizes), slots=4 - len(sizes), name=name) for name, sizes in running.items()]
        placed = waiting.place(rooms)
        for name, started in placed:
            starts[started.id] += 1
            running[name].append(requests[started.id][0])
            assert sum(running[name]) <= 4
        busy = [sizes for sizes in running.values() if sizes]
        assert busy, "tasks wait although nothing runs"
        chance.shuffle(busy)
        busy[0].pop(chance.randrange(len(busy[0])))
    assert starts == Counter(range(len(requests)))


def test_a_timed_task_fits_where_enough_time_is_left() -> None:
    waiting = queue(
        Task(0, b"f", b"", resources=Resources(2, 1, 2), runtime_s=500),
        Task(1, b"f", b"", resources=Resources(2, 1, 2), runtime_s=50),
        task(2, 2),
    )
    assert ids(waiting.place([Room(b"short", 4, 4, 4, left_s=100)])) == [1, 2]
    assert ids(waiting.place([Room(b"short", 4, 4, 4, left_s=100), Room(b"long", 4, 4, 4, 500)])) == [0]


def test_no_manager_is_kept_for_a_task_that_exceeds_its_time() -> None:
    waiting = queue(Task(0, b"f", b"", resources=Resources(4, 1, 4), runtime_s=500))
    for number in range(1, 50):
        waiting.extend([task(number)])
        assert ids(waiting.place([Room(b"short", 4, 1, 4, left_s=100)])) == [number]
