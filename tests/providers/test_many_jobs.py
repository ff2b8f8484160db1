"""Five thousand jobs, and a scheduler that is slow or misbehaves."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from parsl.common.commands import CommandResult
from parsl.executors.blocks.views import BlockActivity
from parsl.jobs.states import JobState
from parsl.launchers import SimpleLauncher
from parsl.providers import (
    CondorProvider,
    GridEngineProvider,
    LSFProvider,
    PBSProProvider,
    SlurmProvider,
    TorqueProvider,
)
from parsl.providers.batch.scheduler import CommandRunner
from parsl.providers.batch.status_collector import MAX_SINGLE_QUERIES
from parsl.providers.cluster_provider import MAX_STATUS_TIMEOUTS, ClusterProvider
from tests.executors.fakes import FakeExecutor
from tests.providers.fake_commands import FakeCommands, ManualClockRunner

pytestmark = pytest.mark.slow

JOBS = 5000
TIMEOUT_S = 10.0
#: The seconds that each command of the slow scheduler takes: just below the timeout.
COMMAND_S = 9.0


def _pbs_json(numbers: Sequence[str]) -> str:
    jobs = {f"{number}.server": {"job_state": "R"} for number in numbers}
    return json.dumps({"pbs_server": "server", "Jobs": jobs})


def _condor_json(numbers: Sequence[str]) -> str:
    return json.dumps([{"ClusterId": int(number), "ProcId": 0, "JobStatus": 2} for number in numbers])


def _lines(form: str) -> Callable[[Sequence[str]], str]:
    return lambda numbers: "".join(form.format(number) for number in numbers)


#: The provider, the id of a job, and the scheduler's output if jobs are running.
SCHEDULERS = [
    (PBSProProvider, "{}.server", _pbs_json),
    (TorqueProvider, "{}.server", _lines("Job Id: {}.server\n    job_state = R\n")),
    (SlurmProvider, "{}", _lines("{}|RUNNING|None\n")),
    (LSFProvider, "{}", _lines("{}|RUN|-|-|-\n")),
    (GridEngineProvider, "{}", _lines("{} 0.5 x sci r 11/23/2026 10:00:00 q@n 1\n")),
    (CondorProvider, "{}.0", _condor_json),
]


class SlowScheduler(CommandRunner):
    """Answers each command slowly, as if jobs were running."""

    def __init__(self, answer: Callable[[Sequence[str]], str]) -> None:
        self.time_s = 1000.0
        self.commands = 0
        self._answer = answer

    def now_s(self) -> float:
        return self.time_s

    def run(self, command: list[str], timeout_s: float, stdin_text: str | None = None) -> CommandResult:
        self.commands += 1
        self.time_s += COMMAND_S
        queried = re.findall(r"(?<![\w.])\d+(?=[.,\s]|$)", " ".join(command))
        # Grid Engine is queried for all jobs at once.
        numbers = queried or [str(number) for number in range(1, JOBS + 1)]
        return CommandResult(tuple(command), 0, self._answer(numbers), "", False)


@pytest.mark.parametrize(
    ("kind", "form", "answer"), SCHEDULERS, ids=[kind.__name__ for kind, _, _ in SCHEDULERS]
)
def test_status_queries_of_a_slow_scheduler_end_in_time_and_reach_all_jobs(
    kind: type[ClusterProvider], form: str, answer: Callable[[Sequence[str]], str]
) -> None:
    scheduler = SlowScheduler(answer)
    provider = kind(launcher=SimpleLauncher(), cmd_timeout=TIMEOUT_S)
    provider.command_runner = scheduler
    jobs = [form.format(number) for number in range(1, JOBS + 1)]
    rounds, known = 0, set()
    while len(known) < JOBS:
        began_s = scheduler.time_s
        statuses = provider.status(jobs)
        assert scheduler.time_s - began_s <= (MAX_STATUS_TIMEOUTS + 1) * TIMEOUT_S
        assert {status.state for status in statuses} <= {JobState.RUNNING, JobState.UNKNOWN}
        known |= {job for job, status in zip(jobs, statuses, strict=True) if status.state is JobState.RUNNING}
        rounds += 1
        assert rounds <= 20
    before = scheduler.commands
    assert provider.cancel(jobs) == [True] * JOBS
    assert scheduler.commands - before <= JOBS / 100


#: All misbehaviours of qstat except those that need a query for a single job.
MISBEHAVIOURS = {
    "exit 1": "exit 1",
    "hang": "exec sleep 60",
    "empty": "exit 0",
    "half": """printf '{"pbs_server": "server", "Jobs": {"1.server": {"job_sta'""",
    "unknown state": """echo '{"pbs_server": "server", "Jobs": {"1.server": {"job_state": "?"}}}'""",
    "forgotten": """echo "qstat: Unknown Job Id ${@: -1}" >&2; exit 153""",
    "no user": """echo '{"pbs_server": "server"}'""",
    "slow": "sleep 0.2; exit 1",
}


@pytest.mark.parametrize("fault", MISBEHAVIOURS.values(), ids=MISBEHAVIOURS)
def test_no_misbehaviour_ends_a_block_or_starts_another(
    fault: str, commands: FakeCommands, tmp_path: Path, monkeypatch
) -> None:
    provider = PBSProProvider(launcher=SimpleLauncher(), cmd_timeout=1, max_blocks=JOBS)
    numbers = itertools.count(1)
    monkeypatch.setattr(provider, "submit", lambda *_: f"{next(numbers)}.server")
    executor = FakeExecutor(provider)
    provider.command_runner = clock = ManualClockRunner()
    executor.blocks.scale_out(JOBS, max_live=JOBS)
    executor.blocks.wait_for_submissions(60)
    executor.activity = {str(block): BlockActivity(1, 4, tasks=1, idle_s=0) for block in range(JOBS)}
    commands.add("qstat", fault)
    for _ in range(2):
        executor.now_s += 60
        clock.time_s += 60
        assert {status.state for status in executor.status().values()} == {JobState.RUNNING}
        assert executor.blocks.scale_out(1, max_live=JOBS) == []
    assert len(commands.calls()) <= 2 * (6 * JOBS / 500 + MAX_SINGLE_QUERIES)

    provider.cmd_timeout = 60
    commands.add("qdel", "sleep 0.1")
    assert len(executor.blocks.cancel_all()) == JOBS
    assert len(commands.calls()) == JOBS / 500
