"""Collecting the status of jobs: the queries made, and the answers trusted."""

from __future__ import annotations

import json

import pytest

from parsl.common.commands import CommandResult
from parsl.jobs.states import JobState
from parsl.providers.batch.scheduler import NoAnswer
from parsl.providers.batch.status_collector import MAX_SINGLE_QUERIES, LeastRecentFirst, StatusCollector
from parsl.providers.pbspro.pbspro import PBSProDialect


class FakePBS:
    """Answers qstat for its jobs as a version of PBS would."""

    def __init__(
        self,
        jobs,
        *,
        json_is_for_first_only=False,
        text_is_readable=True,
        json_is_valid=True,
        has_history=True,
    ):
        self.jobs = jobs
        self.text_is_readable = text_is_readable
        self.json_is_for_first_only = json_is_for_first_only
        self.json_is_valid = json_is_valid
        self.has_history = has_history
        self.commands = []
        self.is_down = False

    def run(self, command):
        self.commands.append(command)
        if self.is_down:
            return CommandResult(
                tuple(command), 255, "", "qstat: cannot connect to server x (errno=15010)\n", False
            )
        queries = [word for word in command if word[0].isdigit()]
        if "-x" in command and not self.has_history:
            return CommandResult(
                tuple(command), 0, self.envelope([]), "qstat: PBS is not configured ...\n", False
            )
        known = [job_id for job_id in queries if job_id in self.jobs]
        unknown = [job_id for job_id in queries if job_id not in self.jobs]
        stderr = "".join(f"qstat: Unknown Job Id {job_id}.server\n" for job_id in unknown)
        if "json" in command:
            stdout = self.envelope(known[:1] if self.json_is_for_first_only else known)
            stdout = stdout if self.json_is_valid else stdout.replace('"s"', "nan")
        elif not self.text_is_readable:
            stdout = "?"
        elif "dsv" in command:
            stdout = "".join(f"Job Id: {job_id}.server|job_state={self.jobs[job_id]}\n" for job_id in known)
        else:
            stdout = "".join(
                f"Job Id: {job_id}.server\n    job_state = {self.jobs[job_id]}\n" for job_id in known
            )
        return CommandResult(tuple(command), 153 if unknown else 0, stdout, stderr, False)

    def envelope(self, job_ids):
        jobs = {f"{job_id}.server": {"job_state": self.jobs[job_id]} for job_id in job_ids}
        return json.dumps({"pbs_server": "s", **({"Jobs": jobs} if jobs else {})})

    def queries(self):
        """The arguments of the commands since the last call of this method."""
        commands, self.commands = self.commands, []
        return [" ".join(command[1:]) for command in commands]


class Collector:
    """A collector for PBS with a function in place of the commands."""

    def __init__(self, run):
        self.collector = StatusCollector(PBSProDialect())
        self.run = run

    def collect(self, job_ids, batch_size):
        return self.collector.collect(self.run, job_ids, batch_size)


def collector_of(scheduler):
    return Collector(scheduler.run)


def states(findings):
    return {job_id: record.state.name for job_id, record in findings.records.items()}


def test_all_jobs_are_queried_with_one_command():
    pbs = FakePBS({"1": "R", "2": "Q"})
    assert states(collector_of(pbs).collect(["1", "2"], 500)) == {"1": "RUNNING", "2": "PENDING"}
    assert pbs.queries() == ["-x -f -F json 1 2"]


def test_long_lists_are_queried_in_batches():
    pbs = FakePBS({str(number): "R" for number in range(1, 6)})
    assert len(collector_of(pbs).collect(list(pbs.jobs), 2).records) == 5
    assert pbs.queries() == ["-x -f -F json 1 2", "-x -f -F json 3 4", "-x -f -F json 5"]


def test_a_server_that_answers_only_for_the_first_job_gets_the_other_format_from_then_on():
    pbs = FakePBS({"1": "R", "2": "Q", "3": "R"}, json_is_for_first_only=True)
    collector = collector_of(pbs)
    findings = collector.collect(["1", "2", "3"], 500)
    assert states(findings) == {"1": "RUNNING", "2": "PENDING", "3": "RUNNING"}
    assert findings.problem is None
    assert pbs.queries() == ["-x -f -F json 1 2 3", "-x -f -F dsv -D | 2 3"]
    assert len(collector.collect(["1", "2", "3"], 500).records) == 3
    assert pbs.queries() == ["-x -f -F dsv -D | 1 2 3"]


def test_invalid_json_is_not_an_answer():
    pbs = FakePBS({"1": "R", "2": "F"}, json_is_valid=False)
    collector = collector_of(pbs)
    assert states(collector.collect(["1", "2"], 500)) == {"1": "RUNNING", "2": "CANCELLED"}
    pbs.queries()
    collector.collect(["1", "2"], 500)
    assert pbs.queries() == ["-x -f -F dsv -D | 1 2"]


def test_a_server_without_history():
    pbs = FakePBS({"1": "R"}, has_history=False)
    collector = collector_of(pbs)
    assert states(collector.collect(["1", "2"], 500)) == {"1": "RUNNING"}
    pbs.queries()
    findings = collector.collect(["1", "2"], 500)
    assert states(findings) == {"1": "RUNNING"}
    assert findings.gone == {"2"}
    assert pbs.queries() == ["-f -F json 1 2", "-f -F json 2"]


def test_an_unknown_job_is_queried_alone_before_the_answer_is_trusted():
    pbs = FakePBS({"1": "R"})
    findings = collector_of(pbs).collect(["1", "9"], 500)
    assert states(findings) == {"1": "RUNNING"}
    assert findings.gone == {"9"}
    assert pbs.queries() == ["-x -f -F json 1 9", "-x -f -F json 9"]


def test_a_single_unknown_job_is_queried_only_once():
    pbs = FakePBS({})
    assert collector_of(pbs).collect(["9"], 500).gone == {"9"}
    assert pbs.queries() == ["-x -f -F json 9"]


def test_many_unknown_jobs_are_queried_in_turn():
    collector, job_ids = collector_of(FakePBS({})), [str(number) for number in range(1, 101)]
    for first in range(0, 100, MAX_SINGLE_QUERIES):
        gone = collector.collect(job_ids, 500).gone
        assert gone == set(job_ids[first : first + MAX_SINGLE_QUERIES])
    assert collector.collect(job_ids, 500).gone == set(job_ids[:MAX_SINGLE_QUERIES])


def test_when_only_the_first_job_is_answered_a_few_collections_cover_all():
    jobs = {str(number): "R" for number in range(1, 51)}
    collector = collector_of(FakePBS(jobs, json_is_for_first_only=True, text_is_readable=False))
    known = set()
    for _ in range(3):
        known |= collector.collect(list(jobs), 500).records.keys()
    assert known == jobs.keys()


def test_a_collection_after_a_timeout_starts_with_the_remaining_jobs():
    pbs = FakePBS({str(number): "R" for number in range(1, 8)})

    def run(command):
        if len(pbs.commands) == 2:
            raise NoAnswer("no time left")
        return pbs.run(command)

    collector, outputs = Collector(run), []
    for _ in range(4):
        outputs.append("".join(collector.collect(list(pbs.jobs), 2).records))
        pbs.queries()
    assert outputs == ["1234", "5671", "2341", "5671"]


def test_ended_jobs_lose_their_place_in_the_order():
    order = LeastRecentFirst()
    order.start_round(["1", "2", "3"])
    order.mark("status", ["1", "2"])
    assert order.sort("status", ["1", "2", "3"]) == ["3", "1", "2"]
    assert order.sort("detail", ["1", "2", "3"]) == ["1", "2", "3"]
    order.start_round(["2", "3"])
    order.mark("status", ["3"])
    order.start_round(["1", "2", "3"])
    assert order.sort("status", ["1", "2", "3"]) == ["1", "2", "3"]


def test_a_server_that_is_down_is_queried_once():
    pbs = FakePBS({"1": "R"})
    pbs.is_down = True
    findings = collector_of(pbs).collect(["1", "2"], 1)
    assert (findings.records, findings.gone) == ({}, set())
    assert "cannot connect to server" in findings.problem
    assert len(pbs.queries()) == 1


@pytest.mark.parametrize(
    "stdout", ["garbage\n", '{"pbs_server": "s", "Jobs": {"1.s": {"job_st', "[]", "null", "{}"]
)
@pytest.mark.parametrize("exit_code", [0, 1])
def test_malformed_output_is_not_an_answer(stdout, exit_code):
    queries = []

    def run(command):
        queries.append(command)
        return CommandResult(tuple(command), exit_code, stdout, "", False)

    findings = Collector(run).collect(["1", "2"], 500)
    assert (findings.records, findings.gone) == ({}, set())
    assert findings.problem
    assert len(queries) <= 8


def test_a_silent_scheduler_is_queried_once():
    queries = []

    def run(command):
        queries.append(command)
        return CommandResult(tuple(command), 0, "", "", False)

    findings = Collector(run).collect(["1", "2"], 500)
    assert findings.problem == "qstat answered nothing"
    assert len(queries) == 1


def test_results_from_before_a_timeout_are_kept():
    pbs = FakePBS({"1": "R", "2": "R"})

    def run(command):
        if len(pbs.commands) == 1:
            raise NoAnswer("no time left")
        return pbs.run(command)

    findings = Collector(run).collect(["1", "2"], 1)
    assert states(findings) == {"1": "RUNNING"}
    assert findings.problem == "no time left"


def test_records_of_other_jobs_are_ignored():
    stdout = json.dumps({"pbs_server": "s", "Jobs": {"7.s": {"job_state": "F"}, "1.s": {"job_state": "R"}}})
    collector = Collector(lambda command: CommandResult(tuple(command), 0, stdout, "", False))
    findings = collector.collect(["1.s"], 500)
    assert [record.state for record in findings.records.values()] == [JobState.RUNNING]
