"""Answers about a run: progress, estimates, and why tasks wait."""

from __future__ import annotations

import pytest

from parsl.eventlog import answers, records
from parsl.eventlog.failure_groups import FailureGroups
from parsl.eventlog.history import RunHistory
from parsl.eventlog.tally import Tally
from parsl.vocabulary.task_states import States
from tests.support.event_logs import BEGAN_S, ended_row, records_of_run, run_began

NOW_S = BEGAN_S + 100


class Known:
    """A history and a tally of the same records."""

    def __init__(self, *given: records.Record, provider: str = "PBSProProvider", max_blocks: int = -1):
        self.history, self.tally = RunHistory(), Tally()
        executor = records.ExecutorFacts("htex", "HTEX", provider, max_blocks)
        self.take(run_began(), records.Executors([executor]), records.Apps(["f", "g"]), *given)

    def take(self, *given: records.Record):
        for record in given:
            self.history.apply(record)
            self.tally.take(record)
        return self

    def progress(self, now_s: float | None = NOW_S) -> answers.Progress:
        return answers.progress(self.history, self.tally, now_s)

    def why(self) -> list[str]:
        return answers.why_waiting(self.history, self.tally, NOW_S)


def row(number: int, state: States = States.launched, app: int = 0) -> records.TaskRow:
    launched_s = BEGAN_S if state == States.launched else None
    return records.TaskRow(number, app, 0, int(state), 0, BEGAN_S, launched_s)


def ended(*numbers: int, run_s: float = 10.0, app: int = 0, ago_s: float = 5.0) -> records.Tasks:
    return records.Tasks(
        [ended_row(n, app, returned_s=NOW_S - ago_s, launched_s=BEGAN_S, run_s=run_s) for n in numbers]
    )


def started(*tasks: int, ago_s: float = 5.0, manager: int = 0) -> records.TasksStarted:
    return records.TasksStarted([records.TaskStarted(task, 0, NOW_S - ago_s, manager, 0) for task in tasks])


def joined(number: int = 0, workers: int = 4, block: str = "0") -> records.ManagerJoined:
    return records.ManagerJoined(0, number, BEGAN_S, f"m{number}", block, f"x{number}", 1, workers)


def block(state: str, reason: str = "", after_s: float = 0, name: str = "0") -> records.BlockChanged:
    return records.BlockChanged(0, BEGAN_S + after_s, name, "4711", state, reason)


@pytest.mark.parametrize(
    ("is_running", "expected"),
    [(True, answers.RUNNING), (False, answers.LOST), (None, answers.ELSEWHERE)],
)
def test_how_a_run_stands(is_running, expected):
    known = Known()
    assert answers.standing(known.history, is_running) == expected
    known.take(records.RunEnded(NOW_S, 0, {}))
    assert answers.standing(known.history, is_running) == answers.ENDED


def test_tasks_are_counted_by_what_they_do():
    states = [States.pending, States.fail_retryable, States.launched, States.joining, States.failed]
    known = Known(records.Tasks([row(n, state) for n, state in enumerate(states)]), ended(5, 6))
    counts = known.progress().counts
    assert counts == answers.TaskCounts(waiting=2, launched=1, running=1, done=2, failed=1)
    assert (counts.total, counts.unfinished) == (7, 4)


def test_apps_have_counts_and_run_times():
    known = Known(ended(0, run_s=1.0), ended(1, run_s=3.0), ended(2, run_s=-1.0, app=1))
    first, second = answers.apps(known.history, known.tally)
    assert (first.name, first.counts.done, first.max_s) == ("f", 2, 3.0)
    assert first.median_s == pytest.approx(1.0, rel=0.05)
    assert (second.name, second.median_s, second.max_s) == ("g", None, None)


def test_the_estimate_is_the_work_left_by_busy_workers():
    waiting = records.Tasks([row(n, States.pending) for n in range(10, 30)])
    running = records.Tasks([row(n) for n in (8, 9)])
    known = Known(ended(*range(8)), waiting, running, started(8, 9))
    # 20 tasks of 10 s, and half of each of two, on about two workers.
    assert known.progress(NOW_S + 0).estimate.remaining_s == pytest.approx(105, rel=0.1)


def test_apps_of_different_length_count_by_their_length():
    quick = ended(*range(90), run_s=0.1, ago_s=90)
    slow = records.Tasks([row(n, app=1) for n in range(90, 100)])
    known = Known(quick, slow, started(90), ended(101, run_s=1000.0, app=1))
    remaining_s = known.progress().estimate.remaining_s
    assert remaining_s == pytest.approx(10_000, rel=0.1), "the rate of the quick tasks would mislead"


@pytest.mark.parametrize(
    ("given", "basis"),
    [
        ([records.Tasks([row(0, app=1)]), started(0)], "the run time of g is not known yet"),
        ([ended(0), records.Tasks([row(1)]), started(1)], "if the tasks"),
        ([records.Tasks([row(1)])], "nothing runs"),
        ([ended(0)], "all tasks submitted so far have ended"),
        ([ended(0, 1, 2, run_s=-1.0), records.Tasks([row(9)])], "as long as the latest"),
    ],
)
def test_an_estimate_has_a_basis_or_a_reason_for_none(given, basis):
    assert basis in Known(*given).progress().estimate.basis


def test_a_run_that_is_over_has_a_mean_rate():
    known = Known(*list(records_of_run(1000))[3:])
    progress = known.progress(None)
    assert progress.elapsed_s == pytest.approx(2.0)
    assert progress.rate == pytest.approx(500)
    assert progress.estimate.remaining_s is None


def test_why_nothing_runs_is_the_schedulers_reason():
    known = Known(records.Tasks([row(0)]), block("PENDING", "Not Running: no node is free"))
    assert known.why() == [
        "htex: block 0 (job 4711) has been PENDING for 1 min 40 s: Not Running: no node is free."
    ]


def test_a_block_without_managers_is_a_reason():
    known = Known(records.Tasks([row(0)]), block("PENDING"), block("RUNNING", after_s=40))
    assert known.why() == ["htex: block 0 (job 4711) has run for 1 min 0 s, but no manager has connected."]


def test_a_failed_block_is_the_reason_if_there_is_no_other():
    known = Known(records.Tasks([row(0)]), block("FAILED", "qsub: no such queue\nmore"))
    assert known.why() == ["htex: block 0 ended (FAILED): qsub: no such queue."]
    known.take(block("PENDING", name="1"))
    assert known.why() == ["htex: block 1 (job 4711) has been PENDING for 1 min 40 s."]


def test_busy_workers_and_quarantined_nodes_are_reasons():
    tasks = records.Tasks([row(n) for n in range(5)])
    known = Known(tasks, block("RUNNING"), joined(), started(0, 1, 2, 3))
    assert known.why() == ["htex: all 4 workers are busy."]
    known.take(records.NodeChanged(0, NOW_S, "x0", "quarantined for 60 s"))
    assert known.why()[0] == "htex: node x0: quarantined for 60 s."
    unplaced = Known(tasks, block("RUNNING"), joined(), started(0, 1, 2, 3, manager=-1))
    assert unplaced.why() == ["htex: all 4 workers are busy."]


def test_the_limit_of_blocks_is_a_reason():
    busy = (records.Tasks([row(n) for n in range(5)]), block("RUNNING"), joined(), started(0, 1, 2, 3))
    at_the_limit = "htex: all 4 workers are busy, and no further block is started: max_blocks is 1."
    assert Known(*busy, max_blocks=1).why() == [at_the_limit]
    assert Known(*busy, max_blocks=2).why() == ["htex: all 4 workers are busy."]
    none = Known(records.Tasks([row(0)]), max_blocks=0)
    assert none.why() == ["htex: no block is started, because the provider has max_blocks=0."]


def test_blocks_that_have_ended_without_a_reason_are_a_reason():
    known = Known(records.Tasks([row(0)]), block("COMPLETED"))
    assert known.why() == ["htex: its block has ended, and no other one has been requested."]
    known.take(block("SCALED_IN", name="1"))
    assert known.why() == ["htex: its 2 blocks have ended, and no other one has been requested."]


def test_totals_are_known_before_the_log_has_been_read():
    done, failed = int(States.exec_done), int(States.dep_fail)
    summary = records.Summary(NOW_S, 10, [(0, done, 4), (1, done, 1), (1, failed, 2)], ["f", "g"])
    counts, apps = answers.totals(summary)
    assert counts == answers.TaskCounts(3, 0, 0, 5, 2)
    assert [(app.name, app.counts.done, app.counts.failed) for app in apps] == [("f", 4, 0), ("g", 1, 2)]


def test_tasks_that_the_end_of_the_run_cut_off_are_counted():
    groups = FailureGroups()
    known = Known(records.Tasks([ended_row(n, state=States.failed) for n in range(5)]))
    groups.take(records.AttemptFailed(0, 0, 0, NOW_S, "failed", "builtins.ValueError", "no"))
    assert answers.cut_off(known.history, groups) == 0
    known.take(records.RunEnded(NOW_S, 5, {"failed": 5}))
    assert answers.cut_off(known.history, groups) == 4


def test_other_reasons():
    assert Known().why() == ["No task has been submitted yet."]
    assert Known(ended(0)).why()[0].startswith("All tasks submitted so far have ended")
    assert Known(records.Tasks([row(0)])).why() == ["htex: no block has been requested."]
    waiting = Known(records.Tasks([row(0, States.pending)]))
    assert waiting.why()[0].startswith("1 task waits for files, or for futures that are not tasks")
    waiting.take(records.Tasks([row(1), row(2, States.pending)]), joined(), started(1))
    assert waiting.why() == ["2 tasks wait for other tasks."]


def test_blocks_have_managers_and_the_start_of_their_state():
    known = Known(
        block("RUNNING", name="0"), block("COMPLETED", after_s=9, name="0"), block("PENDING", name="1"),
        block("PENDING", "now for another reason", 5, "1"), joined(0), joined(1, block="1"),
        records.ManagerGone(0, 0, BEGAN_S + 9, "its job has ended"),
    )  # fmt: skip
    first, second = answers.blocks(known.history)
    assert (first.block, first.since_s, first.nodes, first.workers) == ("1", BEGAN_S, 1, 4)
    assert (second.block, second.is_over, second.nodes) == ("0", True, 0)


def test_nodes_have_their_load_and_standing():
    known = Known(joined(0), joined(1), records.Tasks([row(0)]), started(0, manager=1))
    known.take(records.ManagerGone(0, 0, BEGAN_S + 9, "lost"))
    first, second = answers.nodes(known.history, known.tally)
    assert (first.host, first.running, first.is_connected) == ("x1", 1, True)
    assert (second.host, second.standing, second.is_connected) == ("x0", "lost", False)


@pytest.mark.parametrize(
    ("state", "after_s", "standing"),
    [
        ("SCALED_IN", 9, "its block was scaled in"),
        ("SCALED_IN", 500, "its process got SIGTERM"),
        ("COMPLETED", 9, "its process got SIGTERM"),
    ],
)
def test_a_node_of_a_block_that_was_scaled_in_does_not_look_like_a_failure(state, after_s, standing):
    gone = records.ManagerGone(0, 0, BEGAN_S + 8, "its process got SIGTERM")
    known = Known(block("RUNNING", name="0"), joined(0), gone, block(state, after_s=after_s, name="0"))
    (node,) = answers.nodes(known.history, known.tally)
    assert node.standing == standing


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""), (0.0, "0 ms"), (3.28e-6, "3.28 µs"), (0.0012, "1.2 ms"), (0.5, "0.5 s"),
        (12.34, "12.3 s"), (59.96, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
    ],
)  # fmt: skip
def test_durations_are_for_people(seconds, text):
    assert answers.duration(seconds) == text
