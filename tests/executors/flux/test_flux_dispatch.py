"""Which block gets which task."""

from __future__ import annotations

from parsl.executors.flux.dispatch import MIN_TASKS, TASKS_PER_CORE, Block, Dispatch, Waiting
from parsl.executors.flux.protocol import Register, Shape


def block(name: str, cores: int = 0, gpus: int = 0, nodes: int = 1) -> Block:
    facts = Register(name, "n1", 7, "3.12", "1", nodes if cores else 0, cores, gpus)
    return Block(name.encode(), facts, 0.0)


def dispatch(*blocks: Block, tasks: int = 0, shape: Shape = Shape()) -> Dispatch:  # noqa: B008
    made = Dispatch()
    made.blocks = {each.identity: each for each in blocks}
    made.waiting.extend(Waiting(number, shape, b"") for number in range(tasks))
    return made


def test_tasks_wait_for_a_block() -> None:
    made = dispatch(tasks=2)
    assert made.assign() == []
    one = block("0", cores=4)
    made.blocks[one.identity] = one
    assert [(to, task.number) for to, task in made.assign()] == [(one, 0), (one, 1)]
    assert repr(made).startswith("<Dispatch waiting=0")


def test_a_block_gets_no_more_than_it_can_use_soon() -> None:
    small, large = block("0"), block("1", cores=64)
    made = dispatch(small, large, tasks=1000)
    made.assign()
    assert len(small.tasks) == MIN_TASKS
    assert len(large.tasks) == 64 * TASKS_PER_CORE
    number = min(small.tasks)
    assert made.ended(number, 5.0)
    assert not made.ended(number, 5.0)
    assert [to for to, _ in made.assign()] == [small]


def test_the_emptier_block_goes_first() -> None:
    blocks = block("0", cores=16), block("1", cores=16)
    made = dispatch(*blocks, tasks=10)
    made.assign()
    assert [len(each.tasks) for each in blocks] == [5, 5]


def test_a_task_goes_to_a_block_that_has_enough_and_blocks_no_others() -> None:
    small, large = block("0", cores=2), block("1", cores=8, gpus=1)
    made = dispatch(small, tasks=1, shape=Shape(num_tasks=4))
    made.waiting.append(Waiting(9, Shape(), b""))
    assert [task.number for _, task in made.assign()] == [9]
    made.blocks[large.identity] = large
    assert [(to, task.number) for to, task in made.assign()] == [(large, 0)]


def test_tasks_that_no_block_can_run_do_not_wait() -> None:
    made = dispatch(tasks=1, shape=Shape(num_tasks=4))
    made.waiting.append(Waiting(9, Shape(), b""))
    assert made.take_impossible() == []
    small = block("0", cores=2)
    made.blocks[small.identity] = small
    (impossible,) = made.take_impossible()
    assert impossible[0].number == 0
    assert "4 cores" in impossible[1]
    assert [task.number for task in made.waiting] == [9]


def test_a_shortage_is_explained() -> None:
    made = dispatch(block("0", cores=8, nodes=2))
    assert made.shortage(Shape(num_tasks=8)) == ""
    assert made.shortage(Shape(num_tasks=3, cores_per_task=4)).startswith("the task requests 12 cores")
    assert "1 GPUs" in made.shortage(Shape(gpus_per_task=1))
    assert "3 nodes" in made.shortage(Shape(num_nodes=3))
    assert dispatch().shortage(Shape(num_tasks=1000)) == "", "no block is known yet"
    assert dispatch(block("1")).shortage(Shape(num_tasks=1000)) == "", "its size is unknown"


def test_cancelled_tasks_are_removed_or_left_to_their_block() -> None:
    one = block("0", cores=1)
    made = dispatch(one, tasks=MIN_TASKS + 1)
    made.assign()
    assert made.cancel(MIN_TASKS) is None
    assert not made.waiting
    assert made.cancel(0) is one


def test_the_tasks_of_a_lost_block_are_known() -> None:
    one = block("0", cores=1)
    made = dispatch(one, tasks=2)
    made.assign()
    assert made.silent(61.0, 60.0) == [one]
    assert made.silent(60.0, 60.0) == []
    assert made.remove(one) == [0, 1]
    assert made.remove(one) == []
    assert not made.ended(0, 1.0)


def test_a_block_that_is_about_to_go_gets_nothing() -> None:
    one = block("0", cores=1)
    one.is_held = True
    assert dispatch(one, tasks=1).assign() == []
