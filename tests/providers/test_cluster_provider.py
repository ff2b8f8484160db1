"""The common behaviour of batch providers, with fake PBS commands."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from parsl.jobs.states import JobState
from parsl.launchers import SimpleLauncher
from parsl.launchers.errors import BadLauncher
from parsl.providers import PBSProProvider
from parsl.providers.batch.scheduler import MAX_USELESS_ANSWERS
from parsl.providers.cluster_provider import FRESH_S, UNSEEN_END_S, ClusterProvider
from parsl.providers.errors import ScriptPathError, SubmitException
from parsl.validate import ParameterError
from tests.providers.fake_commands import ManualClockRunner

JOB = "12.server.example"


def make_provider(directory, **options):
    provider = PBSProProvider(launcher=SimpleLauncher(), **{"cmd_timeout": 20, **options})
    provider.script_dir = str(directory)
    provider.command_runner = ManualClockRunner()
    return provider


@pytest.fixture
def provider(tmp_path, commands):
    commands.add("qsub", f"echo {JOB}")
    commands.add("qdel", "")
    return make_provider(tmp_path / 'run dir\'s "scripts"')


def answer(commands, *, exit_code=0, stderr="", **jobs):
    """Let qstat print these jobs, given as their attributes' text by number."""
    all_jobs = {f"{number.strip('_')}.server.example": attributes for number, attributes in jobs.items()}
    envelope = {"pbs_server": "s", **({"Jobs": all_jobs} if all_jobs else {})}
    (commands.directory / "answer.json").write_text(json.dumps(envelope))
    commands.add("qstat", f'cat "${{0%/*}}/answer.json"; printf %s {stderr!r} >&2; exit {exit_code}')


def status(provider, job_id=JOB):
    (found,) = provider.status([job_id])
    return found


def files_of(provider):
    return sorted(path.name for path in Path(provider.script_dir).iterdir())


# Submitting


def test_submit_writes_the_script_only_into_the_run_directory(provider, commands, tmp_path, monkeypatch):
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    assert provider.submit("run-managers", 1, "parsl.htex.block-0") == JOB
    (name,) = files_of(provider)
    assert commands.calls() == [f"qsub {provider.script_dir}/{name}"]
    assert name.startswith("parsl.htex.block-0.")
    assert list((tmp_path / "cwd").iterdir()) == []


def test_the_script_runs_and_its_output_can_be_read_at_once(provider, commands):
    provider.worker_init = "echo in the beginning; export FROM_INIT=yes"
    provider.submit("echo $JOBNAME $FROM_INIT; echo trouble >&2; exit 3", 1, "a job")
    (script,) = Path(provider.script_dir).iterdir()
    assert subprocess.run(["bash", script], check=False, capture_output=True).returncode == 3
    answer(commands, _12={"job_state": "R"})
    running = status(provider)
    assert running.stdout == f"in the beginning\n{script.stem} yes\n"
    assert running.stderr == "trouble\n"


def test_the_files_of_a_job_show_its_start_and_its_end(provider, tmp_path):
    """No query of the scheduler is needed."""
    job_id = provider.submit("exit 3", 1)
    (script,) = Path(provider.script_dir).iterdir()
    assert not provider.has_changed([job_id, "an unknown job"])
    script.with_suffix(".stdout").touch()
    assert provider.has_changed([job_id])
    assert not provider.has_changed([job_id])
    subprocess.run(["bash", script], check=False)
    assert provider.has_changed([job_id])
    assert script.with_suffix(".exit").read_text() == "3\n"
    assert not provider.has_changed([job_id])


def test_a_script_exports_its_start_and_its_walltime(provider):
    provider.walltime = "01:00:00"
    provider.worker_init = "echo $PARSL_BLOCK_STARTED $PARSL_BLOCK_WALLTIME_S"
    provider.submit("bash -c 'echo $PARSL_BLOCK_STARTED $PARSL_BLOCK_WALLTIME_S'", 1)
    (script,) = Path(provider.script_dir).iterdir()
    subprocess.run(["bash", script], check=False)
    in_script, in_command = script.with_suffix(".stdout").read_text().splitlines()
    assert in_script == in_command
    started, walltime = map(int, in_script.split())
    assert 0 <= time.time() - started < 60
    assert walltime == 3600


def test_a_script_reports_a_directory_that_is_missing_on_the_node(provider):
    provider.submit("exit 3", 1)
    (script,) = Path(provider.script_dir).iterdir()
    text = script.read_text().replace("parsl_stdout=", "parsl_stdout=/nowhere")
    done = subprocess.run(["bash", "-c", text], check=False, capture_output=True, text=True)
    assert done.returncode == 3
    assert "is its directory shared?" in done.stderr


def test_a_permanent_refusal_keeps_the_output_of_the_scheduler(provider, commands):
    commands.add("qsub", "echo some words; echo 'qsub: Unknown queue' >&2; exit 170")
    with pytest.raises(SubmitException) as caught:
        provider.submit("c", 1, "a job")
    error = caught.value
    assert (error.is_permanent, error.retcode) == (True, 170)
    assert (error.stdout, error.stderr) == ("some words\n", "qsub: Unknown queue\n")
    assert error.command[0] == "qsub"
    assert "Unknown queue" in str(error)


def test_a_temporary_refusal_is_recognized(provider, commands):
    commands.add("qsub", "echo 'qsub: cannot connect to server x (errno=15010)' >&2; exit 162")
    with pytest.raises(SubmitException) as caught:
        provider.submit("c", 1)
    assert not caught.value.is_permanent


def test_a_hanging_submission_times_out(tmp_path, commands):
    commands.add("qsub", "sleep 60")
    with pytest.raises(SubmitException, match="did not answer in time") as caught:
        make_provider(tmp_path, cmd_timeout=0.2).submit("c", 1)
    assert not caught.value.is_permanent


def test_a_submission_without_a_readable_id_is_not_retried(provider, commands):
    commands.add("qsub", "echo nonsense")
    with pytest.raises(SubmitException, match="did not print the id") as caught:
        provider.submit("c", 1)
    assert caught.value.is_permanent


def test_a_submission_without_output_is_retried_after_a_search_for_its_job(provider, commands):
    commands.add("qsub", "exit 0")
    commands.add("qstat", "exit 0")
    with pytest.raises(SubmitException, match="did not print the id") as caught:
        provider.submit("c", 1)
    assert not caught.value.is_permanent
    assert commands.calls()[1:] == [SEARCH]


SEARCH = "qstat -f -F dsv -D |"


def listing(name, job_id=JOB, state="R"):
    return f"echo 'Job Id: {job_id}|Job_Name={name}|job_state={state}'"


def test_the_job_of_a_lost_submission_is_looked_up_before_the_next_one(tmp_path, commands):
    provider = make_provider(tmp_path, cmd_timeout=0.5)
    commands.add("qsub", "sleep 60")
    with pytest.raises(SubmitException, match="did not answer in time"):
        provider.submit("c", 1, "first")
    name = commands.calls()[0].rpartition("/")[2].removesuffix(".sh")
    commands.add("qsub", f"echo {JOB}")
    commands.add("qdel", "")

    commands.add("qstat", "exit 255")
    with pytest.raises(SubmitException, match="does not show whether there is a job first") as caught:
        provider.submit("c", 1)
    assert not caught.value.is_permanent
    assert commands.calls() == [SEARCH], "max_blocks holds, also while the scheduler does not answer"

    commands.add("qstat", listing("another", "7.s") + "; " + listing(name, "8.s"))
    assert provider.submit("c", 1) == JOB
    search, cancel, submit = commands.calls()
    assert (search, cancel, submit.split()[0]) == (SEARCH, "qdel 8.s", "qsub")
    provider.submit("c", 1)
    assert len(commands.calls()) == 1


def test_a_lost_submission_may_have_created_no_job(tmp_path, commands):
    provider = make_provider(tmp_path, cmd_timeout=0.5)
    commands.add("qsub", "sleep 60")
    with pytest.raises(SubmitException):
        provider.submit("c", 1)
    commands.add("qsub", f"echo {JOB}")
    commands.add("qstat", "")
    assert provider.submit("c", 1) == JOB


def test_useless_answers_about_a_lost_submission_do_not_block_later_ones(tmp_path, commands):
    provider = make_provider(tmp_path, cmd_timeout=0.5)
    commands.add("qsub", "sleep 60")
    with pytest.raises(SubmitException):
        provider.submit("c", 1)
    commands.add("qsub", f"echo {JOB}")
    commands.add("qstat", "echo 'qstat: cannot connect to server x (errno=15010)' >&2; exit 255")
    for _ in range(5):
        with pytest.raises(SubmitException, match="does not show"):
            provider.submit("c", 1)
    commands.add("qstat", "echo 'qstat: invalid option' >&2; exit 2")
    for _ in range(MAX_USELESS_ANSWERS - 1):
        with pytest.raises(SubmitException, match="does not show"):
            provider.submit("c", 1)
    assert provider.submit("c", 1) == JOB


def test_a_job_without_a_printed_id_is_cancelled_immediately(provider, commands):
    commands.add("qsub", "echo nonsense")
    commands.add("qstat", 'for path in "$PARSL_TEST_SCRIPTS"/*.sh; do name=${path##*/}; done; '
                          'echo "Job Id: 8.s|Job_Name=${name%.sh}|job_state=Q"')  # fmt: skip
    os.environ["PARSL_TEST_SCRIPTS"] = provider.script_dir
    try:
        with pytest.raises(SubmitException, match="did not print the id"):
            provider.submit("c", 1)
    finally:
        del os.environ["PARSL_TEST_SCRIPTS"]
    assert commands.calls()[1:] == [SEARCH, "qdel 8.s"]


def test_a_missing_command_is_named_with_its_provider(tmp_path, commands):
    with pytest.raises(SubmitException, match=r"PBSProProvider submits with qsub.*on the PATH") as caught:
        make_provider(tmp_path).submit("c", 1)
    assert caught.value.is_permanent


def test_script_dir_is_needed(commands):
    with pytest.raises(ScriptPathError, match="script_dir is not set"):
        PBSProProvider().submit("c", 1)


def test_preview_shows_what_would_be_submitted_and_writes_nothing(provider, commands):
    ((path, text),) = provider.preview("run-managers").items()
    assert path.startswith(provider.script_dir)
    assert text.startswith("#!/bin/bash\n#PBS")
    assert text.endswith("run-managers\n")
    assert not Path(provider.script_dir).exists()
    assert commands.calls() == []


# Status


def test_a_status_has_the_schedulers_message_and_the_paths(provider, commands):
    provider.submit("c", 1)
    answer(commands, _12={"job_state": "Q", "comment": "Not Running: no nodes"})
    found = status(provider)
    assert (found.state, found.message) == (JobState.PENDING, "Not Running: no nodes")
    assert found.stdout_path.endswith(".stdout")
    assert found.stderr_path.endswith(".stderr")


def test_a_job_that_never_starts_has_the_reason(provider, commands):
    answer(commands, _12={"job_state": "Q", "comment": "Can Never Run: Not enough total nodes available"})
    assert str(status(provider)) == "JobState.HELD (Can Never Run: Not enough total nodes available)"


def test_the_end_of_a_job_is_kept_and_not_queried_again(provider, commands):
    provider.submit("c", 1)
    answer(commands, _12={"job_state": "F", "Exit_status": 3, "comment": "and failed"})
    ended = status(provider)
    assert (ended.state, ended.exit_code) == (JobState.FAILED, 3)
    commands.calls()
    assert status(provider) is ended
    assert commands.calls() == []


def test_the_schedulers_output_replaces_a_missing_stderr(provider, commands):
    provider.submit("c", 1)
    (script,) = Path(provider.script_dir).iterdir()
    script.with_suffix(".scheduler").write_text("cannot write to /x\n")
    answer(commands, _12={"job_state": "F", "Exit_status": 1})
    assert status(provider).stderr == "cannot write to /x\n"


def test_a_requeued_job_continues(provider, commands):
    seen = []
    for attributes in (
        {"job_state": "R"},
        {"job_state": "Q", "Exit_status": -11},
        {"job_state": "R", "Exit_status": -11, "run_count": 2},
        {"job_state": "F", "Exit_status": 0},
    ):
        answer(commands, _12=attributes)
        seen.append(status(provider).state.name)
    assert seen == ["RUNNING", "PENDING", "RUNNING", "COMPLETED"]


@pytest.mark.parametrize(
    "script",
    [
        "exit 1",
        "exit 0",
        "echo garbage",
        "echo garbage >&2; exit 255",
        """echo '{"pbs_server": "s", "Jobs": {"12.server'""",
        """echo '{"pbs_server": "s", "Jobs": {"12.server.example": {"job_state": "?"}}}'""",
        """echo '{"pbs_server": "s"}'""",
        "echo 'qstat: cannot connect to server s (errno=15010)' >&2; exit 255",
        "kill -9 $$",
    ],
)
def test_no_misbehaviour_ends_a_job(provider, commands, script):
    provider.submit("c", 1)
    provider.command_runner.time_s += 3600
    commands.add("qstat", script)
    for _ in range(3):
        provider.command_runner.time_s += 60
        assert status(provider).state is JobState.UNKNOWN
    answer(commands, _12={"job_state": "R"})
    assert status(provider).state is JobState.RUNNING


def test_a_frozen_scheduler_causes_one_timeout(tmp_path, commands):
    provider = make_provider(tmp_path, cmd_timeout=0.3)
    commands.add("qstat", "sleep 60")
    found = provider.status(["1.s", "2.s"])
    assert {one.state for one in found} == {JobState.UNKNOWN}
    assert found[0].message == "qstat did not answer in time"
    assert len(commands.calls()) == 1


def test_without_qstat_every_status_is_unknown(tmp_path, commands):
    found = status(make_provider(tmp_path))
    assert found.state is JobState.UNKNOWN
    assert "PBSProProvider queries jobs with qstat" in found.message


def test_a_job_unknown_to_the_scheduler_is_missing_after_a_while(provider, commands):
    provider.submit("c", 1)
    answer(commands, exit_code=153, stderr=f"qstat: Unknown Job Id {JOB}")
    assert status(provider).state is JobState.UNKNOWN
    provider.command_runner.time_s += FRESH_S
    assert status(provider).state is JobState.UNKNOWN
    provider.command_runner.time_s += UNSEEN_END_S
    missing = status(provider)
    assert missing.state is JobState.MISSING
    assert "no longer knows job 12.server.example" in missing.message


def test_a_job_that_reappears_in_the_scheduler_is_not_missing(provider, commands):
    provider.submit("c", 1)
    for _ in range(3):
        provider.command_runner.time_s += UNSEEN_END_S
        answer(commands, exit_code=153, stderr=f"qstat: Unknown Job Id {JOB}")
        assert status(provider).state is JobState.UNKNOWN
        answer(commands, _12={"job_state": "Q"})
        assert status(provider).state is JobState.PENDING


def test_a_job_that_was_ending_is_missing_once_the_scheduler_does_not_know_it(provider, commands):
    provider.submit("c", 1)
    provider.command_runner.time_s += FRESH_S
    (script,) = Path(provider.script_dir).iterdir()
    script.with_suffix(".exit").write_text("1\n")
    answer(commands, exit_code=153, stderr=f"qstat: Unknown Job Id {JOB}")
    assert status(provider).state is JobState.MISSING


def test_a_reused_number_is_another_job(provider, commands):
    provider.submit("c", 1)
    answer(commands, _12={"job_state": "F", "Exit_status": 0})
    assert status(provider).state is JobState.COMPLETED
    assert provider.submit("c", 1) == JOB
    answer(commands, _12={"job_state": "R"})
    assert status(provider).state is JobState.RUNNING


def test_status_queries_end_in_bounded_time_and_the_rest_follow_later(tmp_path, commands, monkeypatch):
    provider = make_provider(tmp_path, cmd_timeout=10)
    provider.command_runner = ManualClockRunner(step_s=9)
    monkeypatch.setattr(PBSProProvider, "status_batch_limit", 1)
    commands.add(
        "qstat",
        """echo "{\\"pbs_server\\": \\"s\\", \\"Jobs\\": {\\"${@: -1}\\": {\\"job_state\\": \\"F\\"}}}" """,
    )
    jobs = [f"{number}.s" for number in range(1, 10)]
    known = [sum(found.terminal for found in provider.status(jobs)) for _ in range(2)]
    assert known == [5, 9]


def test_thousands_of_jobs_take_few_commands(provider, commands):
    jobs = {f"_{number}": {"job_state": "R"} for number in range(1, 5001)}
    answer(commands, **jobs)
    job_ids = [f"{number}.server.example" for number in range(1, 5001)]
    assert {found.state for found in provider.status(job_ids)} == {JobState.RUNNING}
    assert provider.cancel(job_ids) == [True] * 5000
    calls = commands.calls()
    assert len(calls) == 20
    assert sum(call.startswith("qdel") for call in calls) == 10


# Cancelling


def test_one_command_cancels_several_jobs(provider, commands):
    assert provider.cancel(["1.s", "2.s"]) == [True, True]
    assert commands.calls() == ["qdel 1.s 2.s"]


def test_cancelling_an_ended_job_succeeds(provider, commands):
    commands.add("qdel", "echo 'qdel: Job has finished 1.s' >&2; exit 35")
    assert provider.cancel(["1.s", "2.s"]) == [True, True]


def test_cancelling_without_a_scheduler_fails(tmp_path, commands):
    provider = make_provider(tmp_path, cmd_timeout=0.3)
    assert provider.cancel(["1.s"]) == [False]
    commands.add("qdel", "echo 'Connection refused' >&2; exit 162")
    assert provider.cancel(["1.s"]) == [False]
    commands.add("qdel", "sleep 60")
    assert provider.cancel([f"{number}.s" for number in range(1200)]) == [False] * 1200
    assert len(commands.calls()) == 2


# Parameters


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"queue": ""}, "queue is ''"),
        ({"queue": "a b"}, "queue is 'a b'"),
        ({"account": " "}, "account is ' '"),
        ({"account": "a\nb"}, "account is"),
        ({"account": 123456}, "account is 123456"),
        ({"nodes_per_block": 0}, "nodes_per_block is 0"),
        ({"cpus_per_node": 0}, "cpus_per_node is 0"),
        ({"walltime": "soon"}, "walltime is 'soon'"),
        ({"walltime": None}, "walltime is None"),
        ({"cmd_timeout": 0}, "cmd_timeout is 0"),
        ({"select_options": "a b"}, "select_options is 'a b'"),
        ({"scheduler_options": None}, "scheduler_options is None"),
        ({"max_blocks": -1}, "max_blocks is -1"),
    ],
)
def test_wrong_parameters(options, message):
    with pytest.raises(ParameterError, match=f"PBSProProvider: {message}"):
        PBSProProvider(**options)


def test_a_launcher_must_be_a_launcher():
    with pytest.raises(BadLauncher):
        PBSProProvider(launcher="simple")


def test_a_provider_without_a_dialect(tmp_path):
    provider = ClusterProvider("mine", 1, 1, 0, 1, 1, "00:10:00", SimpleLauncher())
    assert (provider.label, provider.walltime_s) == ("mine", 600)
    assert provider.execute_wait("echo out; echo err >&2; exit 3") == (3, "out\n", "err\n")
    provider.script_dir = str(tmp_path)
    with pytest.raises(NotImplementedError, match="defines no dialect"):
        provider.submit("c", 1)


def test_no_descriptor_is_left_open(provider):
    before = len(os.listdir("/proc/self/fd"))
    provider.submit("c", 1)
    assert len(os.listdir("/proc/self/fd")) == before
