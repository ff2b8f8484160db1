"""The stand-in for PALS' mpiexec as a process: ranks, exit codes, signals, and nothing left over."""

import os
import signal
import subprocess

import pytest

from parsl.testing import install_pals_mpiexec

DEADLINE_S = 20


@pytest.fixture
def mpiexec(tmp_path):
    return str(install_pals_mpiexec(tmp_path / "bin"))


def run(*command, **environment):
    clean = {name: value for name, value in os.environ.items() if name != "PBS_NODEFILE"}
    return subprocess.run(
        command, env={**clean, **environment}, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )


@pytest.fixture
def lines_of(wait_until):
    def read(file, count):
        wait_until(lambda: file.exists() and len(file.read_text().split()) >= count, DEADLINE_S)
        return file.read_text().split()

    return read


@pytest.fixture
def wait_for_end_of(wait_until):
    def wait(pids):
        wait_until(lambda: not any(is_running(pid) for pid in pids), DEADLINE_S)

    return wait


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b") ")[2][:1] != b"Z"
    except OSError:
        return False


def test_each_rank_knows_its_place_and_the_extra_variables(mpiexec, tmp_path):
    nodes = tmp_path / "nodes"
    nodes.write_text("x1.hsn\nx2.hsn\nx1.hsn\n")
    done = run(
        mpiexec, "-n", "4", "--ppn", "2", "--env", "COLOUR=blue", "bash", "-c",
        "echo $PALS_RANKID $PALS_LOCAL_RANKID $PALS_NODEID $COLOUR", PBS_NODEFILE=str(nodes),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["0 0 0 blue", "1 1 0 blue", "2 0 1 blue", "3 1 1 blue"]


def test_ranks_are_bound(mpiexec):
    cpu = min(os.sched_getaffinity(0))
    done = run(mpiexec, "--cpu-bind", f"list:{cpu}", "grep", "Cpus_allowed_list", "/proc/self/status")
    assert done.stdout.split() == ["Cpus_allowed_list:", str(cpu)]


def test_an_unknown_option_is_refused_as_pals_does(mpiexec):
    done = run(mpiexec, "--bind-to", "none", "true")
    assert done.returncode == 1
    assert done.stderr.startswith("mpiexec: unrecognized option '--bind-to'\nUsage: mpiexec ")


def test_a_missing_host_file_is_named(mpiexec, tmp_path):
    done = run(mpiexec, "--hostfile", str(tmp_path / "none"), "true")
    assert done.returncode == 1
    assert f"cannot read host file {tmp_path}/none: No such file" in done.stderr


def test_a_command_that_is_not_there_ends_with_127(mpiexec):
    done = run(mpiexec, "--hosts", "x1.hsn", "no-such-program")
    assert done.returncode == 127
    assert "x1.hsn: rank 0: no-such-program: No such file or directory" in done.stderr


def test_a_failing_rank_ends_the_others_and_its_exit_code_is_returned(mpiexec):
    done = run(
        mpiexec,
        "--hosts",
        "x1.hsn",
        "-n",
        "3",
        "bash",
        "-c",
        "[ $PALS_RANKID = 1 ] && exit 7; exec sleep 1000",
    )
    assert done.returncode == 7
    assert done.stderr == "x1.hsn: rank 1 exited with code 7\n"


def test_a_rank_that_dies_of_a_signal_is_a_failure_too(mpiexec):
    done = run(mpiexec, "--hosts", "x1.hsn", "bash", "-c", "kill -9 $$")
    assert done.returncode == 128 + signal.SIGKILL
    assert "rank 0 died from signal 9" in done.stderr


def test_processes_left_by_ranks_are_ended(mpiexec, tmp_path, lines_of, wait_for_end_of):
    pids = tmp_path / "pids"
    done = run(mpiexec, "-n", "2", "bash", "-c", f"setsid sleep 1000 >/dev/null 2>&1 & echo $! >> {pids}")
    assert done.returncode == 0
    wait_for_end_of([int(pid) for pid in lines_of(pids, 2)])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_ranks_never_outlive_mpiexec(mpiexec, tmp_path, number, lines_of, wait_for_end_of):
    pids = tmp_path / "pids"
    script = f"sleep 1000 & echo $$ $! >> {pids}; wait"
    with subprocess.Popen([mpiexec, "-n", "2", "bash", "-c", script], stderr=subprocess.DEVNULL) as process:
        started = [int(pid) for pid in lines_of(pids, 4)]
        process.send_signal(number)
        code = process.wait(DEADLINE_S)
    assert code == (-number if number == signal.SIGKILL else 128 + number)
    wait_for_end_of(started)


def test_ranks_may_clean_up_after_sigterm(mpiexec, tmp_path, lines_of):
    ready, cleaned = tmp_path / "ready", tmp_path / "cleaned"
    script = f"trap 'echo yes > {cleaned}; exit 0' TERM; echo ready > {ready}; while :; do sleep 0.05; done"
    with subprocess.Popen([mpiexec, "bash", "-c", script], stderr=subprocess.DEVNULL) as process:
        lines_of(ready, 1)
        process.terminate()
        assert process.wait(DEADLINE_S) == 128 + signal.SIGTERM
    assert cleaned.read_text() == "yes\n"


def test_no_python_settings_leak_into_the_ranks(mpiexec):
    done = run(mpiexec, "bash", "-c", "echo [$PYTHONPATH]", PYTHONPATH="/mine")
    assert done.stdout == "[/mine]\n"
