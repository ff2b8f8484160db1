"""The start of managers and the interchange, and the messages to users when it fails."""

from __future__ import annotations

import os
import shlex
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from parsl.errors import ConfigurationError
from parsl.executors import HighThroughputExecutor
from parsl.executors.errors import BadStateException
from parsl.executors.high_throughput.errors import VersionMismatch
from parsl.executors.high_throughput.executor import DEFAULT_INTERCHANGE_LAUNCH_CMD, DEFAULT_LAUNCH_CMD
from parsl.launchers import SimpleLauncher, SingleNodeLauncher
from parsl.providers import LocalProvider
from tests.support.simulated_hosts import why_not
from tests.system import run as runs
from tests.system import tasks

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartRun

#: A template as in users' configurations.
FLAGS = (
    "{debug} {max_workers_per_node} -a {addresses} -p {prefetch_capacity} -c {cores_per_worker} "
    "-m {mem_per_worker} --poll {poll_period} --port={worker_port} --cert_dir {cert_dir} --logdir={logdir} "
    "--logconf={logconf} --block_id={{block_id}} --hb_period={heartbeat_period} "
    "{address_probe_timeout_string} --hb_threshold={heartbeat_threshold} --drain_period={drain_period} "
    "--cpu-affinity {cpu_affinity} {enable_mpi_mode} --mpi-launcher={mpi_launcher} "
    "--available-accelerators {accelerators}"
)
PROGRAM, MODULE = "process_worker_pool.py", "parsl.executors.high_throughput.process_worker_pool"
POOL = f"{shlex.quote(sys.executable)} -m {MODULE}"


@pytest.mark.parametrize("way", ["near", "far"])
def test_a_template_with_the_flags_of_the_worker_pool_works(
    start_run: StartRun, tmp_path: Path, far: Path, way: str
) -> None:
    run = start_run(
        run_dir=far if way == "far" else tmp_path / "r",
        launch_cmd=f"{POOL} {FLAGS}",
        available_accelerators=["x", "y z"],
        prefetch_capacity=3,
    )
    found = run.send(tasks.environment, "PARSL_WORKER_BLOCK_ID", "PARSL_WORKER_COUNT").result(timeout=30)
    assert found == {"PARSL_WORKER_BLOCK_ID": "0", "PARSL_WORKER_COUNT": "2"}


def test_flags_override_the_settings(start_run: StartRun) -> None:
    run = start_run(launch_cmd=f"{POOL} --logdir={{logdir}} --max_workers_per_node 3 -c 0.1 -b {{block_id}}")
    run.warm_up()
    [manager] = run.executor.connected_managers()
    assert (manager["worker_count"], manager["block_id"]) == (3, "0")


def test_a_template_may_wrap_the_command(start_run: StartRun) -> None:
    command = f"COLOUR=blue {POOL} --settings {{settings}} --block_id {{block_id}}"
    run = start_run(launch_cmd=command)
    assert run.send(tasks.environment, "COLOUR").result(timeout=30) == {"COLOUR": "blue"}


@pytest.mark.parametrize("launcher", [SimpleLauncher(), SingleNodeLauncher()], ids=["simple", "single node"])
def test_our_programs_are_found_without_an_activated_environment(
    start_run: StartRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, launcher: Any
) -> None:
    """The programs are where pip installs them: next to this Python."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    note = tmp_path / "note"
    run = start_run(
        launch_cmd=f"env COLOUR=blue {DEFAULT_LAUNCH_CMD}",
        interchange_launch_cmd=[
            "sh",
            "-c",
            f'touch {note}; exec "$@"',
            "sh",
            *DEFAULT_INTERCHANGE_LAUNCH_CMD,
        ],
        provider=LocalProvider(launcher=launcher),
        available_accelerators=["x", "y z"],
    )
    assert run.send(tasks.environment, "COLOUR").result(timeout=60) == {"COLOUR": "blue"}
    assert note.exists()


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_the_default_commands_run_in_containers(start_run: StartRun, tmp_path: Path) -> None:
    """A container shares the run directory with its host, and little else."""
    container = tmp_path / "container"
    container.write_text(
        "#!/bin/sh\n"
        "exec unshare --mount --uts --ipc --pid --fork --kill-child --mount-proc sh -c '\n"
        "    hostname box; mount -t tmpfs memory /dev/shm\n"
        f'    exec env -i PATH={os.path.dirname(sys.executable)}:/usr/bin:/bin "$@"\' container "$@"\n'
    )
    container.chmod(0o755)
    default = HighThroughputExecutor()
    run = start_run(
        launch_cmd=f"{container} {default.launch_cmd}",
        interchange_launch_cmd=[str(container), *default.interchange_launch_cmd],
    )
    assert run.send(tasks.environment, "HOME").result(timeout=60) == {"HOME": None}
    assert run.send(len, bytes(5_000_000)).result(timeout=60) == 5_000_000
    assert len(run.send(bytes, 5_000_000).result(timeout=60)) == 5_000_000
    [manager] = run.executor.connected_managers()
    assert manager["hostname"] == "box"


def test_logs_of_managers_can_have_a_directory_of_their_own(start_run: StartRun, tmp_path: Path) -> None:
    logs = tmp_path / "logs of nodes"
    template = DEFAULT_LAUNCH_CMD.replace("{logdir}", shlex.quote(str(logs)))
    run = start_run(launch_cmd=f"{shlex.quote(sys.executable)} -m {MODULE}".join(template.split(PROGRAM)))
    assert run.send(tasks.add, 1).result(timeout=60) == 1
    assert len(list(logs.rglob("manager.log"))) == 1


def test_a_template_with_an_unknown_field_is_refused(start_run: StartRun) -> None:
    with pytest.raises(ConfigurationError, match=r"launch_cmd(.|\n)*nothing"):
        start_run(launch_cmd="process_worker_pool.py {nothing}")


def test_a_container_without_the_run_directory_is_reported(start_run: StartRun) -> None:
    template = DEFAULT_LAUNCH_CMD.replace("{logdir}", "{logdir}/elsewhere")
    run = start_run(launch_cmd=f"env {template}")
    with pytest.raises(
        BadStateException, match=r"elsewhere/manager-settings.json: No such file(.|\n)*--bind"
    ):
        run.call(tasks.add, 1).result(timeout=30)


@pytest.mark.parametrize("strategy", ["none", "simple"])
def test_a_command_that_exits_immediately_is_not_retried_forever(
    start_run: StartRun, tmp_path: Path, strategy: str
) -> None:
    attempts = tmp_path / "attempts"
    command = f"echo x >> {attempts}; echo 'no licence for workers' >&2; exit 3"
    provider = LocalProvider(init_blocks=1, min_blocks=1, max_blocks=2)
    run = start_run(launch_cmd=command, strategy=strategy, provider=provider)
    begin_s = time.monotonic()
    with pytest.raises(BadStateException, match="no licence for workers") as caught:
        run.call(tasks.add, 1).result(timeout=30)
    assert "EXIT CODE: 3" in str(caught.value)
    assert time.monotonic() - begin_s < 30
    with pytest.raises(BadStateException, match="no licence"):
        run.call(tasks.add, 2).result(timeout=30)
    assert 1 <= len(attempts.read_text().split()) <= 3


def test_an_unreachable_address_is_reported(start_run: StartRun, far: Path) -> None:
    command = f"{POOL} --settings {{settings}} --block_id {{block_id}} -a 127.0.0.1,::1 --port 1"
    run = start_run(run_dir=far, launch_cmd=command)
    with pytest.raises(BadStateException, match=r"No address leads to the interchange") as caught:
        run.call(tasks.add, 1).result(timeout=60)
    assert "tcp://127.0.0.1:1: Connection refused" in str(caught.value)
    assert "tcp://[::1]:1: " in str(caught.value)


def test_workers_that_cannot_start_are_reported(start_run: StartRun) -> None:
    run = start_run(mem_per_worker=10_000_000)
    with pytest.raises(BadStateException, match=r"No worker fits on this node(.|\n)*mem_per_worker"):
        run.call(tasks.add, 1).result(timeout=30)


def test_logs_that_cannot_be_written_are_reported(start_run: StartRun, tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("")
    run = start_run(worker_logdir_root=str(tmp_path / "logs"))
    words = r"cannot write a log in(.|\n)*worker_logdir_root"
    with pytest.raises(BadStateException, match=words) as caught:
        run.call(tasks.add, 1).result(timeout=30)
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("what", ["parsl", "python"])
@pytest.mark.parametrize("way", ["near", "far"])
def test_a_version_mismatch_is_reported_on_both_sides(
    start_run: StartRun, tmp_path: Path, far: Path, what: str, way: str
) -> None:
    wrapper = tmp_path / "other_version.py"
    change = "parsl.version.VERSION = '1999.1'"
    if what == "python":
        change = "platform.python_version = lambda: '2.6.9'"
    wrapper.write_text(
        "import platform, sys\n"
        "import parsl.version\n"
        "from parsl.executors.high_throughput import process_worker_pool\n"
        f"{change}\n"
        "sys.exit(process_worker_pool.main())\n"
    )
    run_dir = far if way == "far" else tmp_path / "r"
    # The block is scaled in at once; the manager needs the time to report its refusal.
    start = f"{shlex.quote(sys.executable)} {wrapper}"
    command = f"trap '' TERM; {start} --settings {{settings}} --block_id {{block_id}}"
    run = start_run(run_dir=run_dir, launch_cmd=command)
    theirs = r"1999\.1" if what == "parsl" else r"Python 2\.6"
    with pytest.raises(BadStateException, match=theirs) as caught:
        run.call(tasks.add, 1).result(timeout=30)
    assert isinstance(run.executor.executor_exception, VersionMismatch)
    assert f"Python {sys.version_info.major}.{sys.version_info.minor}" in str(caught.value)
    run.close()
    [stderr] = run_dir.glob("000/htex/submit_scripts/*.stderr")
    printed = stderr.read_text()
    assert ("1999.1" if what == "parsl" else "Python 2.6") in printed
    assert f"Python {sys.version_info.major}.{sys.version_info.minor}" in printed


def test_the_interchange_can_be_started_by_another_command(start_run: StartRun, tmp_path: Path) -> None:
    note = tmp_path / "note"
    module = "parsl.executors.high_throughput.interchange.command"
    command = ["sh", "-c", f'echo started > {note}; exec "$0" -m {module} "$1"', sys.executable]
    run = start_run(interchange_launch_cmd=command)
    assert run.send(tasks.add, 1).result(timeout=30) == 1
    assert note.read_text() == "started\n"


def test_an_interchange_that_cannot_be_started_is_an_immediate_error(
    start_run: StartRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr("parsl.executors.high_throughput.wire.spool.SHARED_MEMORY", str(memory))
    with pytest.raises(ConfigurationError, match="no-such-interchange"):
        start_run(interchange_launch_cmd=["no-such-interchange"])
    assert list(memory.iterdir()) == []


def test_an_interchange_that_exits_immediately_fails_tasks_with_its_output(start_run: StartRun) -> None:
    run = start_run(interchange_launch_cmd=["sh", "-c", "echo 'cannot do that' >&2; exit 4"])
    with pytest.raises(BadStateException, match=r"exit code 4(.|\n)*cannot do that"):
        run.call(tasks.add, 1).result(timeout=30)


def test_a_draining_manager_completes_its_tasks_and_exits(
    start_run: StartRun, tmp_path: Path, wait_until: WaitUntil
) -> None:
    run = start_run(drain_period=1, max_workers_per_node=1, block_error_handler=False)
    held = run.send(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/release")
    wait_until((tmp_path / "started").exists)
    wait_until(lambda: run.executor.connected_managers()[0]["draining"])
    later = run.send(tasks.add, 1)
    assert run.executor.connected_managers()[0]["tasks"] == 1
    (tmp_path / "release").touch()
    assert held.result(timeout=30) > 0
    wait_until(lambda: not runs.titled(runs.MANAGER), 60)
    assert not later.done()
    assert run.executor.connected_managers() == []


def test_tasks_that_a_draining_manager_does_not_accept_run_in_the_next_block(
    start_run: StartRun, tmp_path: Path, wait_until: WaitUntil
) -> None:
    provider = LocalProvider(init_blocks=1, min_blocks=1, max_blocks=2)
    run = start_run(drain_period=0.5, provider=provider, strategy="simple", max_workers_per_node=1)
    run.warm_up()
    first = run.only(runs.MANAGER)
    first.wait(timeout=30)
    assert run.send(tasks.environment, "PARSL_WORKER_BLOCK_ID").result(timeout=30) != {
        "PARSL_WORKER_BLOCK_ID": "0"
    }
