"""Failures that spread through the graph, and the root cause that stays in sight."""

from __future__ import annotations

import pickle
import traceback

from hypothesis import given
from hypothesis import strategies as st

from parsl.dataflow.errors import BadCheckpoint, DataFlowException, DependencyError, JoinError
from parsl.errors import ParslError


def _chain(length: int, root: BaseException) -> BaseException:
    error = root
    for task_id in range(1, length + 1):
        error = DependencyError([(error, f"task {task_id}")], task_id + 1)
    return error


def test_one_failed_dependency():
    root = ValueError("wrong")
    error = DependencyError([(root, "task 3")], 7)
    assert str(error) == (
        "Dependency failure for task 7. The representative cause is via task 3, "
        "which raised ValueError: wrong"
    )
    assert (error.root_cause, error.root_description, error.depth) == (root, "task 3", 1)
    assert error.__cause__ is root
    assert (error.task_id, error.dependent_exceptions_tids) == (7, [(root, "task 3")])
    assert isinstance(error, DataFlowException)
    assert isinstance(error, ParslError)


def test_a_chain_names_the_root_cause_and_the_path_to_it():
    error = _chain(3, ValueError("wrong"))
    assert str(error) == (
        "Dependency failure for task 4. The representative cause is via "
        "task 3 <- task 2 <- task 1, which raised ValueError: wrong"
    )
    assert error.root_description == "task 1"


def test_the_cause_is_the_root_and_the_nearest_failure_is_included():
    root = ValueError("wrong")
    error = _chain(3, root)
    assert error.__cause__ is root
    nearest, description = error.dependent_exceptions_tids[0]
    assert (type(nearest), nearest.__cause__, description) == (DependencyError, root, "task 3")


def test_other_failures_are_counted_in():
    inner = JoinError([(KeyError("k"), "task 1"), (ValueError("v"), "task 2")], 3)
    error = DependencyError([(inner, "task 3")], 4)
    assert str(error) == (
        "Dependency failure for task 4. The representative cause is via "
        "task 3 <- task 1 (+ others), which raised KeyError: 'k'"
    )
    assert str(inner).startswith("Join failure for task 3.")


def test_a_chain_of_100_000_is_quick_and_its_message_short():
    error = _chain(100_000, ValueError("wrong"))
    assert str(error) == (
        "Dependency failure for task 100001. The representative cause is via task 100000 <- task 99999 <- "
        "task 99998 <- ... 99995 more ... <- task 2 <- task 1, which raised ValueError: wrong"
    )
    shown = "".join(traceback.format_exception(error))
    assert len(shown) < 2000
    assert shown.startswith("ValueError: wrong")


@given(length=st.integers(1, 60))
def test_the_path_is_never_wrong(length):
    path = str(_chain(length, ValueError("x"))).split(" via ")[1].split(",")[0].split(" <- ")
    numbers = [int(link.removeprefix("task ")) for link in path if link.startswith("task")]
    hidden = sum(int(link.split()[1]) for link in path if link.startswith("..."))
    assert numbers == sorted(set(numbers), reverse=True)
    assert (numbers[0], numbers[-1]) == (length, 1)
    assert len(numbers) + hidden == length


def test_long_messages_and_descriptions_are_shortened():
    error = DependencyError([(ValueError("x" * 1_000_000), "y" * 1_000_000)], 1)
    assert len(str(error)) < 3000


def test_a_root_that_cannot_be_shown():
    class Bad(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert "its message cannot be shown" in str(DependencyError([(Bad(), "task 1")], 2))


def test_pickling_keeps_everything():
    error = pickle.loads(pickle.dumps(_chain(3, ValueError("wrong"))))
    assert type(error) is DependencyError
    assert str(error) == str(_chain(3, ValueError("wrong")))
    assert (error.task_id, error.depth, error.root_cause.args) == (4, 3, ("wrong",))
    assert isinstance(error.__cause__, ValueError)
    join = pickle.loads(pickle.dumps(JoinError([(ValueError("v"), "task 1")], 2)))
    assert (type(join), str(join).split(".")[0]) == (JoinError, "Join failure for task 2")


def test_without_dependencies():
    assert str(DependencyError([], 1)) == "Dependency failure for task 1."


def test_bad_checkpoint():
    error = pickle.loads(pickle.dumps(BadCheckpoint("file x is cut off")))
    assert (error.reason, str(error)) == ("file x is cut off", "file x is cut off")
