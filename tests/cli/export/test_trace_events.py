"""A run in the Trace Event Format: checked against the rules of the format, and for what it shows."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest

from parsl.cli.export.trace_events import Event, trace_events
from parsl.cli.main import main
from parsl.eventlog import records
from parsl.vocabulary.task_states import States
from tests.support.event_logs import BEGAN_S, ended_row, records_of_run, run_began, write_event_log


def check_format(events: Iterable[Event]) -> list[Event]:
    """Check the rules of the format, and return the events."""
    events = list(events)
    named = {
        (event["name"], event["pid"], event["tid"] if event["name"] == "thread_name" else 0)
        for event in events
        if event["ph"] == "M"
    }
    slices = defaultdict(list)
    for event in events:
        assert event["ph"] in "MXCsf"
        assert isinstance(event["pid"], int)
        assert event["name"]
        if event["ph"] == "M":
            assert event["args"]["name"]
            continue
        assert event["ts"] >= 0
        assert ("process_name", event["pid"], 0) in named
        if event["ph"] == "X":
            assert event["dur"] >= 0
            assert ("thread_name", event["pid"], event["tid"]) in named
            slices[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
        if event["ph"] == "C":
            assert all(isinstance(value, int) and value >= 0 for value in event["args"].values())
    for found in slices.values():
        found.sort()
        assert all(end <= begin + 0.002 for (_, end), (begin, _) in pairwise(found))
    _check_flows(events, slices)
    return events


def _check_flows(events: list[Event], slices: dict[tuple[int, int], list[tuple[float, float]]]) -> None:
    ends = defaultdict(list)
    for event in events:
        if event["ph"] in "sf":
            ends[event["id"]].append(event)
            around = slices[event["pid"], event["tid"]]
            assert any(begin <= event["ts"] <= end for begin, end in around), "an arrow is bound to a slice"
    for start, finish in ends.values():
        assert (start["ph"], finish["ph"], finish["bp"]) == ("s", "f", "e")


def run_of(*given: records.Record) -> list[records.Record]:
    executor = records.Executors([records.ExecutorFacts("htex", "HTEX")])
    joined = records.ManagerJoined(0, 0, BEGAN_S, "m", "0", "x7", 1, 4)
    return [run_began(), executor, records.Apps(["f", "g"]), joined, *given]


def row(number: int, begin_s: float, end_s: float, **changes) -> records.TaskRow:
    facts = {"manager": 0, "worker": 0, "launched_s": BEGAN_S, **changes}
    return ended_row(number, returned_s=BEGAN_S + end_s, run_s=end_s - begin_s, **facts)


def slices_of(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if event["ph"] == "X" and event["cat"] == "task"]


def test_a_whole_run_follows_the_rules():
    given = records_of_run(5000, fail_every=50, waiting=10)
    events = check_format(trace_events(given))
    slices = slices_of(events)
    assert len(slices) == 5000
    assert sum("cname" in event for event in slices) == 100
    processes = {event["args"]["name"] for event in events if event["name"] == "process_name"}
    assert processes == {"run of train.py", "htex on x0", "htex on x1"}
    blocks = [event["name"] for event in events if event.get("cat") == "block"]
    assert blocks == ["PENDING", "RUNNING"]
    assert "block 0 of htex" in {event["args"]["name"] for event in events if event["ph"] == "M"}
    counters = [event["args"] for event in events if event["ph"] == "C"]
    assert counters[-1] == {"waiting": 0, "running": 0}


def test_a_slice_has_the_facts_of_its_attempt():
    [event] = slices_of(
        check_format(trace_events(run_of(records.Tasks([row(0, 1.0, 3.0, launched_s=BEGAN_S)]))))
    )
    assert (event["name"], event["ts"], event["dur"]) == ("f", 1e6, 2e6)
    assert event["args"] == {
        "task": 0, "attempt": 1, "state": "exec_done", "cpu_s": 0.3, "peak_memory_bytes": 50_000_000,
        "waited_s": 1.0,
    }  # fmt: skip


def test_results_that_arrive_together_do_not_overlap():
    given = run_of(records.Tasks([row(n, 4.0, 5.0) for n in range(4)]), records.Tasks([row(4, 4.9, 5.0)]))
    found = [
        (event["ts"] / 1e6, event["dur"] / 1e6) for event in slices_of(check_format(trace_events(given)))
    ]
    assert found == [(1.0, 1.0), (2.0, 1.0), (3.0, 1.0), (4.0, 1.0), (5.0, 0.0)]


def test_arrows_lead_from_a_task_to_its_dependents():
    rows = [row(0, 1, 2), row(1, 1, 3, worker=1), row(2, 4, 5, depends=(0, 1, 99))]
    events = check_format(trace_events(run_of(records.Tasks(rows))))
    assert sum(event["ph"] == "s" for event in events) == 2
    assert not any(
        event["ph"] in "sf" for event in trace_events(run_of(records.Tasks(rows)), with_flows=False)
    )


def test_attempts_that_were_tried_again_and_running_ones_are_shown():
    launched = records.TaskRow(0, 1, 0, int(States.launched), 0, BEGAN_S, BEGAN_S)
    again = records.TaskRow(0, 1, 0, int(States.launched), 1, BEGAN_S, BEGAN_S + 4)
    failure = records.AttemptFailed(
        0, 0, 0, BEGAN_S + 3, "tried again", "builtins.OSError", "no", BEGAN_S, 2.0, 0, 1
    )
    started = records.TasksStarted([records.TaskStarted(0, 1, BEGAN_S + 5, 0, 1)])
    end = records.RunEnded(BEGAN_S + 9, 1, {})
    given = run_of(records.Tasks([launched]), failure, records.Tasks([again]), started, end)
    first, second = slices_of(check_format(trace_events(given)))
    assert (first["name"], first["ts"], first["dur"]) == ("g", 1e6, 2e6)
    assert (first["args"]["error"], first["cname"]) == ("builtins.OSError: no", "terrible")
    assert (second["ts"], second["dur"], second["args"]["state"]) == (5e6, 4e6, "running")


def test_tasks_without_a_known_worker_have_tracks_that_do_not_overlap():
    rows = [row(n, 0, 1 + n / 10, worker=-1, manager=-1) for n in range(5)]
    rows += [row(n, 2, 3, worker=-1, manager=-1) for n in range(5, 10)]
    slices = slices_of(check_format(trace_events(run_of(records.Tasks(rows)))))
    assert len({event["tid"] for event in slices}) == 5
    crowd = [row(n, 0, 1, worker=-1, manager=-1) for n in range(1000)]
    assert len(slices_of(check_format(trace_events(run_of(records.Tasks(crowd)))))) == 256


def test_a_task_from_memoization_ran_nowhere():
    memo = row(0, 0, 1, launched_s=None)
    memo.state, memo.run_s = int(States.memo_done), -1.0
    assert not slices_of(trace_events(run_of(records.Tasks([memo]))))


def test_the_counters_of_a_long_run_are_few():
    rows = [row(n, n * 10, n * 10 + 5, launched_s=BEGAN_S + n * 10) for n in range(20_000)]
    events = list(trace_events(run_of(records.Tasks(rows)), with_flows=False))
    assert sum(event["ph"] == "C" for event in events) <= 10_000
    check_format(events)


def waiting_first(given: Iterable[records.Record]) -> Iterator[records.Record]:
    """Yield a run whose tasks are all submitted before the first one ends."""
    pending = int(States.pending)
    for start in range(0, 20_000, 500):
        numbers = range(start, start + 500)
        yield records.Tasks([records.TaskRow(n, n % 3, 0, pending, 0, BEGAN_S, None) for n in numbers])
    yield from given


@pytest.mark.parametrize("order", [iter, waiting_first])
def test_memory_hardly_grows_with_the_tasks(order):
    given = order(records_of_run(20_000, batch=500))
    tracemalloc.start()
    try:
        assert sum(1 for _ in trace_events(given)) > 20_000
        assert tracemalloc.get_traced_memory()[1] < 3e6
    finally:
        tracemalloc.stop()


def test_the_command_writes_a_file(tmp_path, capsys):
    write_event_log(tmp_path, 100)
    assert main(["trace", str(tmp_path), "-o", str(tmp_path / "trace.json")]) == 0
    trace = json.loads((tmp_path / "trace.json").read_text())
    assert len(slices_of(check_format(trace["traceEvents"]))) == 100
    assert main(["trace", str(tmp_path), "-o", str(tmp_path / "none" / "x")]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert main(["trace", str(tmp_path / "none")]) == 2


@pytest.mark.parametrize("lines", [1, 10**9])
def test_the_command_writes_to_a_pipe_that_may_close_early(tmp_path, lines):
    write_event_log(tmp_path, 3000)
    process = subprocess.Popen(
        [sys.executable, "-m", "parsl", "trace", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        found = [line for _, line in zip(range(lines), process.stdout, strict=False)]
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.wait() == 0
    assert lines == 1 or json.loads(b"".join(found))
