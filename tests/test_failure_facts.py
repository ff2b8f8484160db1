"""Exceptions of every kind carry the facts about a failure."""

from __future__ import annotations

import dataclasses
import pickle
import traceback
from typing import Any

import pytest

from parsl.failure_facts import TAIL_CHARS, FailureFacts, attach, facts_of, has_facts, note, tail_of


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    value: int = 1


class Slotted(Exception):
    __slots__ = ("value",)


@pytest.mark.parametrize("make", [ValueError, Frozen, Slotted, KeyboardInterrupt, lambda: OSError(2, "no")])
def test_facts_are_attached_to_any_exception(make: Any) -> None:
    error = make()
    assert not has_facts(error)
    attach(error, host="n1", worker=3)
    attach(error, app="solve", host=None)
    assert has_facts(error)
    assert facts_of(error).as_dict() == {"host": "n1", "worker": 3, "app": "solve"}


def test_an_exception_without_facts() -> None:
    assert facts_of(None).as_dict() == {}
    assert facts_of(ValueError()).as_dict() == {}
    assert str(FailureFacts()) == ""


def test_they_travel_with_the_exception() -> None:
    error = ValueError("bad")
    attach(error, host="n1", ran_s=1.5)
    assert facts_of(pickle.loads(pickle.dumps(error))).as_dict() == {"host": "n1", "ran_s": 1.5}


def test_str_is_one_line_with_all_facts() -> None:
    facts = FailureFacts(
        app="solve", task_id=7, attempt=2, executor="htex", host="n1", block="0", worker=0, pid=4242,
        ran_s=12.34, peak_memory=245_000_000, exit_code=3, stderr_tail="not in the line",
    )  # fmt: skip
    assert str(facts) == (
        "task 7 (solve), attempt 2 on executor htex; host n1, block 0, worker 0, pid 4242; "
        "ran 12.3 s, peak memory 245 MB, exit code 3"
    )
    assert "task 7" in repr(facts)


def test_a_note_shows_them_once_and_leaves_others_alone() -> None:
    error = ValueError("bad")
    error.__notes__ = ["the user's own"]
    attach(error, app="solve", task_id=7)
    note(error)
    attach(error, attempt=2)
    note(error)
    assert error.__notes__ == ["the user's own", "Parsl: task 7 (solve), attempt 2"]
    if hasattr(error, "add_note"):  # Python 3.11
        assert "attempt 2" in "".join(traceback.format_exception(error))


def test_the_tail_of_a_file(tmp_path: Any) -> None:
    path = tmp_path / "err.txt"
    path.write_text("head\n--> end <--\nfirst\n--> end <--\n  last words\n\n")
    assert tail_of(str(path), after="--> end <--") == "last words"
    assert tail_of(str(path)).startswith("head")
    path.write_bytes(b"x" * 10_000 + b"\xff end")
    assert tail_of(str(path)).endswith("\ufffd end")
    assert len(tail_of(str(path))) == TAIL_CHARS
    assert tail_of(str(tmp_path / "none")) == ""
