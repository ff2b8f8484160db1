"""Which block gets which task."""

from __future__ import annotations

from types import CodeType

from parsl.executors.engines.short_functions import ShortFunctions
from parsl.executors.flux.dispatch import JOBS_PER_CORE, MIN_JOBS, Block, Dispatch, Waiting
from parsl.executors.flux.protocol import Register, Shape

SHORT = compile("1", "", "eval")


def block(name: str, cores: int = 0, gpus: int = 0, nodes: int = 1) -> Block:
    facts = Register(name, "n1", 7, "3.12", "1", nodes if cores else 0, cores, gpus)
    return Block(name.encode(), facts, 0.0)


def dispatch(*blocks: Block, tasks: int = 0, shape: Shape = Shape(), max_together: int = 8) -> Dispatch:  # noqa: B008
    """Return a queue that knows that SHORT is short."""
    functions = ShortFunctions()
    for _ in range(100):
        functions.ran(SHORT, 0.0001, 100)
    made = Dispatch(functions, max_together)
    made.blocks = {each.identity: each for each in blocks}
    add(made, range(tasks), shape=shape)
    return made


def add(to: Dispatch, numbers: range, code: CodeType | None = None, shape: Shape = Shape()) -> None:  # noqa: B008
    to.waiting.extend(Waiting(number, shape, b"call", code) for number in numbers)


def assigned(by: Dispatch) -> list[tuple[Block, list[int]]]:
    return [(block, [task.number for task in tasks]) for block, tasks in by.assign()]


def test_tasks_wait_for_a_block() -> None:
    made = dispatch(tasks=2)
    assert made.assign() == []
    one = block("0", cores=4)
    made.blocks[one.identity] = one
    assert assigned(made) == [(one, [0]), (one, [1])]
    assert repr(made).startswith("<Dispatch waiting=0")


def test_a_block_gets_no_more_than_it_can_use_soon() -> None:
    small, large = block("0"), block("1", cores=64)
    made = dispatch(small, large, tasks=1000)
    first = assigned(made)
    assert small.task_count == MIN_JOBS
    assert large.task_count == 64 * JOBS_PER_CORE
    (number, *_), *_ = (numbers for to, numbers in first if to is small)
    made.ended([number], 5.0)
    made.ended([number], 5.0)
    assert [to for to, _ in made.assign()] == [small]


def test_the_emptier_block_goes_first() -> None:
    blocks = block("0", cores=16), block("1", cores=16)
    made = dispatch(*blocks, tasks=10)
    made.assign()
    assert [each.task_count for each in blocks] == [5, 5]


def test_a_task_goes_to_a_block_that_has_enough_and_blocks_no_others() -> None:
    small, large = block("0", cores=2), block("1", cores=8, gpus=1)
    made = dispatch(small, tasks=1, shape=Shape(num_tasks=4))
    add(made, range(9, 10))
    assert assigned(made) == [(small, [9])]
    made.blocks[large.identity] = large
    assert assigned(made) == [(large, [0])]


def test_tasks_that_no_block_can_run_do_not_wait() -> None:
    made = dispatch(tasks=1, shape=Shape(num_tasks=4))
    add(made, range(9, 10))
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
    made = dispatch(one, tasks=MIN_JOBS + 1)
    made.assign()
    assert made.cancel(MIN_JOBS) is None
    assert not made.waiting
    job = made.cancel(0)
    assert job is not None
    assert job.block is one
    assert not job.is_shared
    assert repr(job) == "<Job of tasks [0]>"


def test_the_tasks_of_a_lost_block_are_known() -> None:
    one = block("0", cores=1)
    made = dispatch(one, tasks=2)
    made.assign()
    assert made.silent(61.0, 60.0) == [one]
    assert made.silent(60.0, 60.0) == []
    assert made.remove(one) == [0, 1]
    assert made.remove(one) == []
    assert made.cancel(0) is None


def test_a_block_that_is_about_to_go_gets_nothing() -> None:
    one = block("0", cores=1)
    one.is_held = True
    assert dispatch(one, tasks=1).assign() == []


def test_short_tasks_share_jobs_while_more_wait_than_there_are_cores() -> None:
    one = block("0", cores=4)
    made = dispatch(one)
    add(made, range(4), SHORT)
    assert assigned(made) == [(one, [number]) for number in range(4)]
    add(made, range(4, 14), SHORT)
    assert assigned(made) == [
        (one, [4, 5, 6]),
        (one, [7, 8]),
        (one, [9, 10]),
        (one, [11]),
        (one, [12]),
        (one, [13]),
    ]
    assert (one.task_count, len(one.jobs)) == (14, 10)


def test_a_job_has_no_more_tasks_than_allowed() -> None:
    for max_together in (1, 3):
        made = dispatch(block("0", cores=1), max_together=max_together)
        add(made, range(100), SHORT)
        assert {len(numbers) for _, numbers in assigned(made)} == {max_together}


def test_tasks_of_other_functions_and_shapes_share_no_job() -> None:
    made = dispatch(block("0", cores=1))
    add(made, range(1), SHORT)
    add(made, range(1, 3))
    add(made, range(3, 5), SHORT, Shape(gpus_per_task=1))
    add(made, range(5, 7), SHORT, Shape(num_tasks=2))
    add(made, range(7, 9), SHORT)
    made.blocks = {b"0": block("0", cores=0)}
    made.blocks = {b"0": block("0", cores=2, gpus=1)}
    numbers = [numbers for _, numbers in assigned(made)]
    assert numbers == [[0], [1], [2], [3, 4], [5], [6], [7], [8]]


def test_the_tasks_of_a_shared_job_end_one_by_one_or_wait_again() -> None:
    one = block("0", cores=1)
    made = dispatch(one)
    add(made, range(MIN_JOBS))
    made.assign()
    add(made, range(100, 200), SHORT)
    made.ended([0], 1.0)
    assert assigned(made) == [(one, [*range(100, 108)])]
    job = made.cancel(100)
    assert job is not None
    assert job.is_shared
    made.ended([100, 101, 102], 2.0)
    assert one.task_count == MIN_JOBS - 1 + 5
    made.put_back([103, 104, 105, 106, 107])
    made.ended([103, 104, 105, 106, 107], 2.0)
    assert one.task_count == MIN_JOBS - 1
    assert assigned(made) == [(one, [*range(103, 111)])]
    assert [task.call for task in made.waiting] == [b"call"] * 89
