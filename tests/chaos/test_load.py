"""The load: its simulated managers keep to the protocol, and its report finds defects."""

from __future__ import annotations

from typing import Any

import pytest

from chaos.load.member import Member
from chaos.load.meter import Phase
from chaos.load.orders import Died, Refused
from chaos.load.report import Facts, figures, findings, table
from parsl.executors.high_throughput.wire.protocol import DONE, Result, Results, Task
from parsl.vocabulary.run_observer import pack_usage
from tests.support.modules import run_module


def facts(**changed: Any) -> Facts:
    """A run of two managers, one of which died, in which nothing went wrong."""
    options: dict[str, Any] = {
        "managers": 2,
        "joined": {"a": 1.0, "b": 2.0},
        "given_up": {"b": 12.5},
        "gone": {"b": 13.0},
        "died": [Died("b", False, 10.0)],
        "refused": [],
        "seen": bytearray([1, 1, 1]),
        "errors": [],
        "phases": [Phase("steady", 2.0, {"driver": 0.5})],
        "peak_memory": {"driver": 3 * 2**20},
        "steady_rate": 1.5,
        "longest_silence_s": 4.0,
    }
    return Facts(**{**options, **changed})


def test_a_run_without_defects_has_no_findings() -> None:
    assert findings(facts()) == []


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"joined": {"a": 1.0}}, "1 managers have not registered"),
        ({"seen": bytearray([1, 0, 0])}, "2 tasks have no result"),
        ({"seen": bytearray([1, 2, 1])}, "1 tasks have more than one result"),
        ({"gone": {}}, "1 deaths were not noticed"),
        ({"gone": {"a": 12.0, "b": 13.0}}, "1 living managers were given up"),
        ({"refused": [Refused("a", "too many")]}, "1 living managers were refused"),
        ({"errors": [ValueError("odd\nlines")] * 2}, "ValueError: odd"),
    ],
)
def test_every_defect_of_a_run_is_found(changed: dict[str, Any], found: str) -> None:
    assert findings(facts(**changed)) == [found]


def test_the_figures_include_the_detection_time() -> None:
    found = figures(facts())
    assert found["closed deaths noticed after s, median"] == 2.5
    assert found["closed deaths reported to the driver after s, longest"] == 3.0
    assert found["silent deaths noticed after s, longest"] is None
    assert found["steady, cores, driver"] == 0.5


def test_the_processor_time_per_task_is_that_of_the_phases_with_tasks() -> None:
    phases = [Phase(name, 3.0, {"driver": 0.5}) for name in ("idle", "filling", "steady")]
    assert figures(facts(phases=phases))["processor time per task µs, driver"] == 1_000_000


def test_the_figures_of_several_runs_are_in_one_table() -> None:
    columns = {"without": {"a": None, "long name": 1234.5}, "event log": {"a": 1.0, "b": 2.0}}
    assert table(columns).splitlines() == [
        "                without     event log",
        "a                     -          1.00",
        "long name      1,234.50             -",
        "b                     -          2.00",
    ]


def test_a_simulated_manager_runs_one_task_per_worker_and_queues_the_others() -> None:
    member = Member(7, "0", 2, None)
    slots = member.accept([Task(number, b"", b"call") for number in range(3)], 0.0)
    assert [slot.given[0].id for slot in slots] == [0, 1]
    assert sorted(member.held(5).ids) == [0, 1, 2]
    [next_slot] = member.finish(slots[1], 10.0, 10.0)
    assert next_slot.given[0].id == 2
    sent = member.take_results()
    assert sent == Results([Result(1, DONE, b"call", usage=pack_usage(10.0, 10.0, -1, -1, -1))], 2, 1)
    assert member.take_results() == Results([], 2, 2)


@pytest.mark.slow
def test_a_small_machine_loses_a_node_and_no_task() -> None:
    options = (
        "--managers 10 --workers 2 --tasks 400 --task-s 0.02 --deaths 0.1 --idle-s 0 --fleets 2 --seed 3 "
        "--event-log both"
    )
    run = run_module("chaos.load", *options.split())
    assert run.returncode == 0, run.stdout
    assert "WRONG" not in run.stdout
    [line] = [line for line in run.stdout.splitlines() if line.startswith("closed deaths  ")]
    assert line.split()[-2:] == ["1.00", "1.00"]
    [line] = [line for line in run.stdout.splitlines() if line.startswith("event log, bytes")]
    assert line.split()[-2] == "-"
    assert 0 < float(line.split()[-1]) < 1000
