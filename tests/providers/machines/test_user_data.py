"""The script of a machine, run for real by a stand-in."""

from __future__ import annotations

import os
import subprocess

import pytest

from parsl.providers.machines.user_data import exit_code_on, user_data_script
from tests.support.clouds.processes import ProcessHost


@pytest.fixture
def ends():
    return []


@pytest.fixture
def host(tmp_path, ends):
    host = ProcessHost(tmp_path / "machines", ends.append)
    yield host
    host.close()


def script(worker_init="", launch="true", walltime_s=1000, lingers=False):
    return user_data_script("parsl-run-0-0", worker_init, launch, walltime_s, lingers=lingers)


def test_it_is_bash(tmp_path):
    path = tmp_path / "user-data"
    path.write_text(script("echo 'quotes' \"$HOME\" {{braces}}"))
    assert path.read_text().startswith("#!/bin/bash\n")
    subprocess.run(["bash", "-n", path], check=True)


@pytest.mark.parametrize(
    ("worker_init", "launch", "code"),
    [("", "true", 0), ("", "exit 3", 3), ("exit 4", "true", 4), ("set -e; false", "true", 1)],
)
def test_a_machine_ends_when_its_job_has_ended(host, ends, wait_until, worker_init, launch, code):
    host.start_machine("m", script(worker_init, launch))
    wait_until(lambda: ends)
    assert ends[0].by_itself
    assert exit_code_on(host.console("m")) == code


def test_a_machine_ends_at_its_walltime(host, ends, wait_until):
    host.start_machine("m", script(launch="sleep 1000", walltime_s=1))
    wait_until(lambda: ends)
    assert ends[0].by_itself
    assert "the walltime is up" in host.console("m")


def test_a_machine_that_lingers_stays_up_until_its_walltime(host, ends, wait_until):
    host.start_machine("m", script(lingers=True, walltime_s=2))
    wait_until(lambda: exit_code_on(host.console("m")) == 0)
    assert host.running() == ["m"]
    wait_until(lambda: ends)


def test_worker_init_cannot_hide_the_command_that_ends_the_machine(host, ends, wait_until):
    host.start_machine("m", script("export PATH=/nowhere; trap '' EXIT"))
    wait_until(lambda: ends)


def test_the_job_knows_its_walltime(host, ends, wait_until):
    host.start_machine(
        "m", script(launch='echo "$PARSL_BLOCK_WALLTIME_S,${PARSL_BLOCK_STARTED:+set},$JOBNAME"')
    )
    wait_until(lambda: ends)
    assert "1000,set,parsl-run-0-0\n" in host.console("m")


def test_a_killed_machine_leaves_no_process(host, ends, tmp_path, wait_until):
    pid_file = tmp_path / "pid"
    host.start_machine("m", script(launch=f"setsid sleep 1000 & echo $! >{pid_file}; wait"))
    wait_until(lambda: pid_file.exists() and pid_file.read_text())
    assert host.kill("m")
    assert not os.path.exists(f"/proc/{pid_file.read_text().strip()}/environ") or ends
    assert not ends[0].by_itself
    assert not host.kill("m")


def test_a_second_boot_ends_the_machine(tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "shutdown").write_text(f"#!/bin/sh\necho $* >>{tmp_path}/shutdowns\n")
    (programs / "shutdown").chmod(0o700)
    user_data = tmp_path / "cloud" / "instances" / "i-1" / "scripts" / "part-001"
    user_data.parent.mkdir(parents=True)
    # The limit is one of a background process, which this script does not wait for.
    user_data.write_text(script(launch="true", walltime_s=0))
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
    subprocess.run(["bash", user_data], env=environment, check=True, capture_output=True)
    (tmp_path / "shutdowns").unlink()
    subprocess.run([tmp_path / "cloud" / "scripts" / "per-boot" / "parsl"], check=True)
    assert (tmp_path / "shutdowns").read_text() == "-h now\n"
