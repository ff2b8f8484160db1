"""Providers that run the scheduler's commands elsewhere, and what users read about jobs."""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import Any

import pytest

from parsl.jobs.states import JobState
from parsl.launchers import SimpleLauncher
from parsl.providers import LocalProvider, LSFProvider, PBSProProvider
from parsl.providers.errors import SubmitException
from tests.providers.test_cluster_provider import JOB, answer


class PBSOnHead(PBSProProvider):
    """Runs commands with a program, as users do with ssh and sudo."""

    def execute_wait(self, cmd: str, timeout: float | None = None) -> tuple[int, str, str]:
        return super().execute_wait(f"on-head {shlex.quote(cmd)}", timeout)


class LSFOnHead(LSFProvider):
    """The same with the method's shortest signature."""

    def execute_wait(self, cmd: str) -> Any:  # type: ignore[override]
        return super().execute_wait(f"on-head {cmd}")


@pytest.fixture
def provider(tmp_path: Any, commands: Any) -> PBSOnHead:
    commands.add("on-head", 'eval "$1"')
    commands.add("qsub", f"echo {JOB}")
    commands.add("qdel", "")
    provider = PBSOnHead(launcher=SimpleLauncher(), cmd_timeout=20)
    provider.script_dir = str(tmp_path / "some scripts")
    return provider


def test_submit_status_and_cancel_run_command_lines(provider: PBSOnHead, commands: Any) -> None:
    assert provider.submit("c", 1) == JOB
    script = provider.resources[JOB]["job_stdout_path"].replace(".stdout", ".sh")
    assert commands.calls() == [f"on-head qsub '{script}'", f"qsub {script}"]
    answer(commands, _12={"job_state": "R"})
    assert provider.status([JOB])[0].state is JobState.RUNNING
    assert commands.calls()[0].startswith("on-head qstat ")
    assert provider.cancel([JOB]) == [True]
    assert commands.calls()[0].startswith("on-head qdel ")


def test_a_script_for_the_standard_input_is_redirected(tmp_path: Any, commands: Any) -> None:
    commands.add("on-head", '"$@"')
    commands.add("bsub", f"cat > {tmp_path}/input; echo 'Job <7> is submitted to queue <normal>.'")
    provider = LSFOnHead(launcher=SimpleLauncher(), bsub_redirection=True)
    provider.script_dir = str(tmp_path / "some scripts")
    assert provider.submit("c", 1) == "7"
    with open(provider.resources["7"]["job_stdout_path"].replace(".stdout", ".sh")) as script:
        assert (tmp_path / "input").read_text() == script.read()


def test_the_method_of_an_instance_is_used_as_well(tmp_path: Any, monkeypatch: Any) -> None:
    provider = PBSProProvider()
    provider.script_dir = str(tmp_path)
    lines = []
    monkeypatch.setattr(provider, "execute_wait", lambda line: lines.append(line) or (0, JOB, ""))
    assert provider.submit("c", 1) == JOB
    assert lines[0].startswith("qsub ")


def test_no_other_process_cancels_the_jobs_of_such_a_provider(provider: PBSOnHead) -> None:
    assert provider.cancel_commands([JOB]) == []
    assert PBSProProvider().cancel_commands([JOB]) != []


def refuse(line: str) -> Any:
    raise ConnectionError("the head node is down")


def take_too_long(line: str) -> Any:
    raise subprocess.TimeoutExpired(line, 1)


@pytest.mark.parametrize(
    ("execute_wait", "message"),
    [
        (
            refuse,
            r"PBSProProvider.execute_wait\('qsub .*has raised ConnectionError\('the head node is down'\)",
        ),
        (lambda line: None, r"returned None. It has to return the exit code"),
        (lambda line: (0, 7, ""), r"returned \(0, 7, ''\). It has to return the exit code"),
        (take_too_long, "did not answer in time"),
    ],
)
def test_what_goes_wrong_in_the_method_is_explained(
    tmp_path: Any, monkeypatch: Any, execute_wait: Any, message: str
) -> None:
    provider = PBSProProvider()
    provider.script_dir = str(tmp_path)
    monkeypatch.setattr(provider, "execute_wait", execute_wait)
    with pytest.raises(SubmitException, match=message) as caught:
        provider.submit("c", 1)
    assert not caught.value.is_permanent
    assert provider.status([JOB])[0].state is JobState.UNKNOWN
    assert provider.cancel([JOB]) == [False]


@pytest.mark.parametrize("output", [b"12.server.example\n", "12.server.example\n"])
def test_output_may_be_bytes(tmp_path: Any, monkeypatch: Any, output: Any) -> None:
    provider = PBSProProvider()
    provider.script_dir = str(tmp_path)
    monkeypatch.setattr(provider, "execute_wait", lambda line: (0, output, None))
    assert provider.submit("c", 1) == JOB


def test_a_command_line_that_takes_too_long_raises_timeout_expired() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        PBSProProvider(cmd_timeout=1).execute_wait("sleep 60")
    with pytest.raises(subprocess.TimeoutExpired):
        PBSProProvider().execute_wait("sleep 60", 0.1)


def test_resources_show_the_state_and_the_files_of_a_job(provider: PBSOnHead, commands: Any) -> None:
    provider.submit("c", 1, "name")
    entry = provider.resources[JOB]
    assert (entry["job_id"], entry["status"].state) == (JOB, JobState.PENDING)
    assert entry["job_stdout_path"].startswith(f"{provider.script_dir}/name.")
    assert os.path.splitext(entry["job_stderr_path"])[1] == ".stderr"
    answer(commands, _12={"job_state": "R"})
    provider.status([JOB, "13.server.example"])
    assert provider.resources[JOB]["status"].state is JobState.RUNNING
    assert list(provider.resources) == [JOB]


def test_resources_of_the_local_provider(tmp_path: Any, wait_until: Any) -> None:
    provider = LocalProvider(launcher=SimpleLauncher())
    provider.script_dir = str(tmp_path)
    job = provider.submit("echo hello", 1)
    wait_until(lambda: provider.status([job])[0].state is JobState.COMPLETED)
    entry = provider.resources[job]
    assert entry["status"].state is JobState.COMPLETED
    assert str(entry["remote_pid"]) == job
    with open(entry["job_stdout_path"]) as output:
        assert output.read() == "hello\n"
    assert os.path.exists(entry["script_path"])
    assert os.path.exists(entry["job_stderr_path"])
