from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import parsl.providers
from parsl.common.processes import is_alive
from parsl.jobs.states import JobState
from parsl.launchers import MpiExecLauncher, SimpleLauncher, SingleNodeLauncher
from parsl.launchers.base import Launcher
from parsl.launchers.errors import BadLauncher
from parsl.providers import LocalProvider
from parsl.providers.errors import ScriptPathError, SubmitException
from parsl.validate import ParameterError


class RecordingProvider(LocalProvider):
    """Records the ids of its jobs."""

    submitted = ()

    def submit(self, *args, **kwargs):
        job_id = super().submit(*args, **kwargs)
        self.submitted = (*self.submitted, job_id)
        return job_id


@pytest.fixture
def make_provider(tmp_path):
    """Create providers, and end their jobs with the test."""
    made = []

    def make(launcher=None, **settings):
        provider = RecordingProvider(launcher=launcher or SimpleLauncher(), **settings)
        provider.script_dir = str(tmp_path / "submit 'scripts'")
        made.append(provider)
        return provider

    yield make
    for provider in made:
        provider.cancel(provider.submitted)


@pytest.fixture
def run(make_provider, wait_until):
    """Run one job to its end, and return its status."""

    def run(command, **settings):
        provider = make_provider(**settings)
        job_id = provider.submit(command, 1)
        wait_until(lambda: provider.status([job_id])[0].terminal)
        (status,) = provider.status([job_id])
        return status

    return run


@pytest.fixture
def start(wait_until):
    """Start a job that runs until it is cancelled; return its id and its first line."""

    def start(provider, command):
        job_id = provider.submit(command, 1)
        (status,) = provider.status([job_id])
        wait_until(lambda: (status.stdout or "").endswith("\n"))
        return job_id, status.stdout.split()

    return start


def alive(pids):
    return [pid for pid in pids if is_alive(int(pid))]


class TestOutcome:
    def test_success(self, run):
        status = run("echo out; echo err >&2")
        assert (status.state, status.exit_code, status.message) == (JobState.COMPLETED, 0, None)
        assert (status.stdout, status.stderr) == ("out\n", "err\n")

    def test_failure(self, run):
        status = run("exit 3")
        assert (status.state, status.exit_code) == (JobState.FAILED, 3)
        assert "exit code 3" in status.message

    def test_signal(self, run):
        status = run("kill -9 $$")
        assert (status.state, status.exit_code) == (JobState.FAILED, 137)

    @pytest.mark.parametrize("debug", [True, False])
    def test_launchers_exit_code(self, run, debug):
        assert run("exit 4", launcher=SingleNodeLauncher(debug=debug)).exit_code == 4
        assert run("exit 0", launcher=SingleNodeLauncher(debug=debug)).state is JobState.COMPLETED

    def test_an_exit_code_collected_by_other_code_is_found(self, make_provider, wait_until):
        handler = signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by the kernel
        try:
            provider = make_provider()
            job_id = provider.submit("exit 3", 1)
            wait_until(lambda: provider.status([job_id])[0].terminal)
        finally:
            signal.signal(signal.SIGCHLD, handler)
        (status,) = provider.status([job_id])
        assert (status.state, status.exit_code) == (JobState.FAILED, None)
        assert "has taken its exit code" in status.message

    def test_other_children_keep_their_exit_codes(self, run):
        process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(5)"])
        run("true")
        assert process.wait(30) == 5

    def test_unknown_id_is_missing(self, make_provider):
        statuses = make_provider().status(["nonsense", 7])
        assert [status.state for status in statuses] == [JobState.MISSING] * 2
        assert "'nonsense'" in statuses[0].message

    def test_statuses_are_in_the_order_of_the_ids(self, make_provider, wait_until):
        provider = make_provider()
        job_ids = [provider.submit(f"exit {number}", 1) for number in range(4)]
        wait_until(lambda: all(status.terminal for status in provider.status(job_ids)))
        assert [status.exit_code for status in provider.status(job_ids[::-1])] == [3, 2, 1, 0]


class TestWorkerInit:
    def test_runs_first_in_the_same_shell(self, run):
        assert run("echo $x", worker_init="x='a  b'").stdout == "a b\n"

    def test_failing_command_does_not_stop_the_job(self, run):
        status = run("echo on; exit 2", worker_init="no-such-module load x")
        assert (status.stdout, status.exit_code) == ("on\n", 2)
        assert "no-such-module" in status.stderr

    @pytest.mark.parametrize("worker_init", ["exit 7", "set -e; (exit 7)"])
    def test_can_end_the_job(self, run, worker_init):
        status = run("echo on", worker_init=worker_init)
        assert (status.state, status.exit_code, status.stdout) == (JobState.FAILED, 7, "")


class TestJobScript:
    def test_files_are_in_the_script_directory(self, make_provider, run, tmp_path):
        status = run("pwd; echo $JOBNAME")
        directory = str(tmp_path / "submit 'scripts'")
        assert status.stdout == f"{os.getcwd()}\nparsl.localprovider.0\n"
        assert status.stdout_path == f"{directory}/parsl.localprovider.0.stdout"
        assert status.stderr_path == f"{directory}/parsl.localprovider.0.stderr"
        assert sorted(os.listdir(directory)) == [
            f"parsl.localprovider.0.{ending}" for ending in ("sh", "stderr", "stdout")
        ]

    def test_the_script_is_readable_by_its_owner_only(self, make_provider):
        provider = make_provider()
        provider.submit("true", 1)
        (script,) = (name for name in os.listdir(provider.script_dir) if name.endswith(".sh"))
        assert os.stat(os.path.join(provider.script_dir, script)).st_mode & 0o777 == 0o700

    def test_two_providers_share_a_directory(self, make_provider):
        names = set()
        for _ in range(2):
            provider = make_provider()
            job_id = provider.submit("true", 1, job_name="same")
            names.add(provider.status([job_id])[0].stdout_path)
        assert len(names) == 2

    def test_any_job_name_is_allowed(self, make_provider):
        provider = make_provider()
        job_id = provider.submit("true", 1, job_name="../a b/$(c)")
        path = provider.status([job_id])[0].stdout_path
        assert os.path.dirname(path) == provider.script_dir
        assert os.path.basename(path) == ".._a_b___c_.0.stdout"

    def test_script_dir_is_needed(self):
        with pytest.raises(ScriptPathError, match="script_dir is not set"):
            LocalProvider().submit("true", 1)

    def test_a_script_dir_that_cannot_be_created_is_refused(self, make_provider, tmp_path):
        provider = make_provider()
        (tmp_path / "file").write_text("")
        provider.script_dir = str(tmp_path / "file" / "dir")
        with pytest.raises(ScriptPathError, match="Not a directory"):
            provider.submit("true", 1)

    def test_a_job_that_cannot_be_started_is_refused(self, make_provider, monkeypatch):
        monkeypatch.setattr("parsl.providers.local.local._SHELL", "/no/such/bash")
        with pytest.raises(SubmitException, match="cannot be started with bash"):
            make_provider().submit("true", 1, "somejob")

    def test_a_users_launcher_may_have_the_older_signature(self, run):
        class Older(Launcher):
            def __call__(self, command, tasks_per_node, nodes_per_block):
                return f"echo {nodes_per_block}; {command}"

        assert run("echo hello", launcher=Older(), nodes_per_block=3).stdout == "3\nhello\n"

    @pytest.mark.mpi
    def test_mpiexec(self, run):
        status = run("echo rank $PMI_RANK", launcher=MpiExecLauncher(debug=False), nodes_per_block=2)
        assert sorted(status.stdout.splitlines()) == ["rank 0", "rank 1"]


class TestDetachment:
    def test_job_leads_a_session_and_reads_nothing(self, run):
        status = run("cat; ps -o pid=,sid= -p $$")
        pid, session = status.stdout.split()
        assert pid == session != str(os.getsid(0))

    def test_signal_handlers_of_the_driver_are_not_inherited(self, run):
        handler = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        try:
            status = run("kill -TERM $$; echo survived")
        finally:
            signal.signal(signal.SIGTERM, handler)
        assert (status.exit_code, status.stdout) == (143, "")

    def test_submit_does_not_wait(self, make_provider):
        provider = make_provider()
        begin = time.monotonic()
        provider.submit("sleep 600", 1)
        assert time.monotonic() - begin < 60


class TestOnJobEnd:
    def test_is_called_with_the_id_when_the_status_is_known(self, make_provider):
        provider = make_provider()
        ended, seen = threading.Event(), []

        def on_job_end(job_id):
            seen.append((job_id, provider.status([job_id])[0].exit_code))
            ended.set()

        provider.on_job_end = on_job_end
        job_id = provider.submit("exit 6", 1)
        assert ended.wait(30)
        assert seen == [(job_id, 6)]

    def test_is_called_for_a_cancelled_job(self, make_provider, start):
        provider = make_provider()
        ended = threading.Event()
        provider.on_job_end = lambda job_id: ended.set()
        job_id, _ = start(provider, "echo ready; sleep 600")
        assert not ended.is_set()
        provider.cancel([job_id])
        assert ended.wait(30)

    def test_an_error_in_a_callback_is_logged(self, make_provider, wait_until, caplog):
        provider = make_provider()

        def on_job_end(job_id):
            raise ValueError("oops")

        provider.on_job_end = on_job_end
        job_id = provider.submit("true", 1)
        wait_until(lambda: f"on_job_end failed for job {job_id}" in caplog.text)

    def test_thread_ends_with_the_job(self, make_provider, wait_until):
        provider = make_provider()
        job_id = provider.submit("true", 1)
        wait_until(lambda: not any(job_id in thread.name for thread in threading.enumerate()))


class TestCancel:
    def test_running_job(self, make_provider, start):
        provider = make_provider()
        job_id, _ = start(provider, "echo ready; sleep 600")
        assert provider.status([job_id])[0].state is JobState.RUNNING
        assert provider.cancel([job_id]) == [True]
        (status,) = provider.status([job_id])
        assert (status.state, status.exit_code) == (JobState.CANCELLED, 143)

    def test_twice(self, make_provider, start):
        provider = make_provider()
        job_id, _ = start(provider, "echo ready; sleep 600")
        assert provider.cancel([job_id, job_id]) == [True, True]
        assert provider.cancel([job_id]) == [True]
        assert provider.status([job_id])[0].state is JobState.CANCELLED

    def test_unknown(self, make_provider):
        assert make_provider().cancel(["nonsense"]) == [False]

    def test_nothing(self, make_provider):
        assert make_provider().cancel([]) == []

    def test_ended_job_keeps_its_state(self, make_provider, wait_until):
        provider = make_provider()
        job_id = provider.submit("exit 3", 1)
        wait_until(lambda: provider.status([job_id])[0].terminal)
        assert provider.cancel([job_id]) == [True]
        assert provider.status([job_id])[0].state is JobState.FAILED

    def test_a_tree_that_ignores_sigterm_in_other_groups_and_sessions_is_killed(self, make_provider, start):
        provider = make_provider()
        job_id, pids = start(
            provider,
            "trap '' TERM; sleep 600 & a=$!; set -m; sleep 600 & b=$!; set +m; setsid sleep 600 & "
            "echo $$ $a $b $!; while :; do wait; done",
        )
        assert len(pids) == 4
        assert provider.cancel([job_id]) == [True]
        assert alive(pids) == []

    def test_children_whose_leader_has_ended(self, make_provider, wait_until):
        provider = make_provider()
        job_id = provider.submit("sleep 600 & echo $!", 1)
        wait_until(lambda: provider.status([job_id])[0].terminal)
        pids = provider.status([job_id])[0].stdout.split()
        assert alive(pids) == pids
        provider.cancel([job_id])
        assert alive(pids) == []
        assert provider.status([job_id])[0].state is JobState.COMPLETED

    def test_cancelling_many_takes_as_long_as_one(self, make_provider, start):
        provider = make_provider()
        deaf = "trap '' TERM; echo ready; while :; do sleep 600; done"
        job_ids = [start(provider, deaf)[0] for _ in range(5)]
        begin = time.monotonic()
        assert provider.cancel(job_ids) == [True] * 5
        assert time.monotonic() - begin < 4
        assert {status.state for status in provider.status(job_ids)} == {JobState.CANCELLED}

    def test_at_the_end_of_the_interpreter(self, tmp_path):
        program = f"""
import atexit
from parsl.providers import LocalProvider
provider = LocalProvider()
provider.script_dir = {str(tmp_path)!r}
job_ids = [provider.submit("sleep 600", 1) for _ in range(3)]
atexit.register(lambda: print(provider.cancel(job_ids), *(s.status_name for s in provider.status(job_ids))))
"""
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(parsl.providers.__path__[0]))},
            check=False,
        )
        assert done.stdout == "[True, True, True] CANCELLED CANCELLED CANCELLED\n", done.stderr


class TestConstructor:
    def test_defaults(self):
        provider = LocalProvider()
        assert provider.label == "local"
        assert provider.status_polling_interval == 5
        assert repr(provider).startswith("LocalProvider(")
        assert "launcher=SingleNodeLauncher(debug=True, fail_on_any=False)" in repr(provider)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"worker_init": None}, "worker_init is None"),
            ({"cmd_timeout": 0}, "cmd_timeout is 0"),
            ({"nodes_per_block": 0}, "LocalProvider: nodes_per_block is 0"),
        ],
    )
    def test_wrong_parameters(self, settings, message):
        with pytest.raises(ParameterError, match=message):
            LocalProvider(**settings)

    def test_bad_launcher(self):
        with pytest.raises(BadLauncher, match="launcher is 'mpiexec'"):
            LocalProvider(launcher="mpiexec")


def test_package_names_its_providers():
    assert parsl.providers.LocalProvider is LocalProvider
    assert "LocalProvider" in dir(parsl.providers)
    with pytest.raises(AttributeError, match="NoSuchProvider"):
        parsl.providers.NoSuchProvider  # noqa: B018
