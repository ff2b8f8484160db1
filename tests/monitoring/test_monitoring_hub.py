"""MonitoringHub: the parameters, and runs that are recorded."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

import parsl
from parsl import Config, HighThroughputExecutor, ThreadPoolExecutor, python_app
from parsl.errors import ConfigurationError
from parsl.monitoring import MonitoringHub
from parsl.monitoring.errors import MonitoringWarning
from parsl.monitoring.settings import settings_file
from tests.conftest import WaitUntil
from tests.monitoring.database.runs import query

#: As users write it: MonitoringHub as in upstream's documentation, and no ``if __name__ == "__main__"``.
SCRIPT = """
import parsl
from parsl import Config, HighThroughputExecutor, ThreadPoolExecutor, python_app
from parsl.addresses import address_by_hostname
from parsl.monitoring.monitoring import MonitoringHub

@python_app
def double(x):
    return 2 * x

@python_app(cache=True)
def total(inputs=()):
    return sum(inputs)

@python_app
def fail():
    raise ValueError("bad input")

config = Config(
    executors=[{executor}],
    monitoring=MonitoringHub(
        hub_address=address_by_hostname(),
        monitoring_debug=False,
        resource_monitoring_interval=10,
    ),
    retries=1,
    strategy="none",
)
with parsl.load(config):
    doubled = [double(i) for i in range(4)]
    print(total(inputs=doubled).result(), total(inputs=doubled).result())
    print(repr(fail().exception()))
"""
EXECUTORS = {
    "threads": "ThreadPoolExecutor(label='here')",
    "htex": "HighThroughputExecutor(label='here', max_workers_per_node=2)",
}


@python_app
def double(x: int) -> int:
    return 2 * x


@pytest.mark.parametrize("kind", EXECUTORS)
def test_a_script_of_upstream_is_recorded(kind: str, tmp_path: Path, wait_until: WaitUntil) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(executor=EXECUTORS[kind]))
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "12 12" in done.stdout
    database = tmp_path / "runinfo" / "monitoring.db"
    wait_until(lambda: not os.path.exists(settings_file(str(tmp_path / "runinfo" / "000"))))
    assert query(
        database, "SELECT workflow_name, tasks_completed_count, tasks_failed_count FROM workflow"
    ) == [("script.py", 5, 1)]
    assert query(database, "SELECT task_func_name, COUNT(*) FROM task GROUP BY 1 ORDER BY 1") == [
        ("double", 4), ("fail", 1), ("total", 2),
    ]  # fmt: skip
    assert query(database, "SELECT task_depends, task_memoize FROM task WHERE task_id = 4") == [
        ("0,1,2,3", "1")
    ]
    last = "SELECT task_status_name FROM status WHERE task_id = 6 ORDER BY timestamp"
    states = [name for (name,) in query(database, last)]
    assert [name for name in states if not name.startswith("running")] == [
        "pending", "launched", "fail_retryable", "pending", "launched", "failed",
    ]  # fmt: skip
    assert query(database, "SELECT DISTINCT task_fail_history FROM try WHERE task_id = 6") == [
        ("ValueError('bad input')",)
    ]
    ran = "SELECT * FROM try WHERE task_try_time_launched IS NOT NULL"
    unknown = f"{ran} AND (task_try_time_running IS NULL OR hostname IS NULL)"
    assert query(database, unknown) == []  # also of tasks that took microseconds
    if kind == "htex":
        assert query(database, "SELECT executor_label, block_id FROM block LIMIT 1") == [("here", "0")]
        assert query(database, "SELECT block_id, worker_count FROM node WHERE active LIMIT 1") == [("0", 2)]


def recorded(directory: Path, **parameters: object) -> Config:
    hub = MonitoringHub(**parameters)  # type: ignore[arg-type]
    return Config(executors=[ThreadPoolExecutor()], run_dir=str(directory), monitoring=hub)


def run_of(directory: Path, tasks: int, **parameters: object) -> str:
    """Run some tasks with a hub; return the run directory."""
    with parsl.load(recorded(directory, **parameters)) as kernel:
        for future in [double(number) for number in range(tasks)]:
            future.result()
    return kernel.run_dir


def test_a_hub_knows_where_its_runs_are(tmp_path: Path) -> None:
    config = recorded(tmp_path / "first")
    hub = config.monitoring
    assert hub is not None
    with parsl.load(config):
        pass
    assert hub.logging_endpoint == f"sqlite:///{tmp_path}/first/monitoring.db"
    with parsl.load(Config([ThreadPoolExecutor()], run_dir=str(tmp_path / "second"), monitoring=hub)):
        assert hub.logging_endpoint == f"sqlite:///{tmp_path}/second/monitoring.db"


def test_the_end_of_a_run_does_not_wait_for_a_locked_database(tmp_path: Path, wait_until: WaitUntil) -> None:
    database = tmp_path / "mine.db"
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.warns(MonitoringWarning, match=r"is being completed by process \d+, which continues"):
        run_of(tmp_path, 20, logging_endpoint=f"sqlite:///{database}")
    other.execute("ROLLBACK")
    other.close()
    wait_until(lambda: query(database, "SELECT COUNT(*) FROM sqlite_master WHERE name = 'task'") == [(1,)])
    wait_until(lambda: query(database, "SELECT COUNT(*) FROM task WHERE task_time_returned > 0") == [(20,)])


def test_a_database_of_another_schema_is_one_warning(tmp_path: Path, wait_until: WaitUntil) -> None:
    database = tmp_path / "monitoring.db"
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE task (task_id INTEGER)")
    connection.close()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with parsl.load(recorded(tmp_path)) as kernel:
            wait_until(lambda: caught and not writers_of(kernel.run_dir))
            assert double(4).result() == 8
    (warning,) = caught
    assert warning.category is MonitoringWarning
    assert "another schema" in str(warning.message)


def test_a_killed_writer_is_replaced(tmp_path: Path, wait_until: WaitUntil) -> None:
    with parsl.load(recorded(tmp_path)) as kernel:
        double(1).result()
        log = Path(kernel.run_dir, "monitoring.log")
        [first] = writers_of(kernel.run_dir)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: writers_of(kernel.run_dir) - {first})
        double(2).result()
    wait_until(lambda: not os.path.exists(settings_file(kernel.run_dir)), what=f"the end of {log}")
    assert query(tmp_path / "monitoring.db", "SELECT COUNT(*) FROM task") == [(2,)]


@pytest.mark.linux
def test_tasks_have_precedence_over_the_writer(tmp_path: Path, wait_until: WaitUntil) -> None:
    with parsl.load(recorded(tmp_path)) as kernel:
        wait_until(lambda: has_tables(tmp_path / "monitoring.db"))
        [writer] = writers_of(kernel.run_dir)
        niceness = psutil.Process(writer).nice()
        assert niceness > psutil.Process().nice()
        session = Path(f"/proc/{writer}/autogroup")  # where Linux divides the processor among sessions
        assert not session.exists() or session.read_text().endswith(f" nice {niceness}\n")


def writers_of(run_dir: str) -> set[int]:
    """Return the processes that write a run of this process: those whose stderr is its log."""
    found = set()
    for child in psutil.Process().children():
        with suppress(OSError):
            if os.readlink(f"/proc/{child.pid}/fd/2") == os.path.join(run_dir, "monitoring.log"):
                found.add(child.pid)
    return found


def test_the_next_run_completes_one_whose_writer_was_killed(tmp_path: Path, wait_until: WaitUntil) -> None:
    from parsl.monitoring.settings import Settings, write_settings
    from tests.support.event_logs import write_event_log

    (tmp_path / "000").mkdir()
    write_event_log(tmp_path / "000", 50)
    write_settings(str(tmp_path / "000"), Settings(f"sqlite:///{tmp_path}/monitoring.db", 30.0))
    second = run_of(tmp_path, 3)
    for run_dir in (str(tmp_path / "000"), second):
        wait_until(lambda run_dir=run_dir: not os.path.exists(settings_file(run_dir)))
    assert query(tmp_path / "monitoring.db", "SELECT COUNT(*) FROM task") == [(53,)]


@python_app
def wait_for(path: str) -> None:
    import os
    import time

    while not os.path.exists(path):
        time.sleep(0.01)


def test_what_a_running_task_uses_is_sampled(tmp_path: Path, wait_until: WaitUntil) -> None:
    hub = MonitoringHub(resource_monitoring_interval=0.2, monitoring_debug=True)
    executor = HighThroughputExecutor(max_workers_per_node=1)
    database = tmp_path / "monitoring.db"
    samples = "SELECT psutil_process_memory_resident FROM resource WHERE psutil_process_pid IS NOT NULL"
    with parsl.load(Config([executor], run_dir=str(tmp_path), monitoring=hub)) as kernel:
        waiting = wait_for(str(tmp_path / "go"))
        wait_until(lambda: database.exists() and has_tables(database) and query(database, samples))
        (tmp_path / "go").touch()
        waiting.result()
    wait_until(lambda: not os.path.exists(settings_file(kernel.run_dir)))
    assert query(database, samples)[0][0] > 1e6
    last = "SELECT psutil_process_pid, resource_monitoring_interval FROM resource ORDER BY timestamp DESC"
    assert query(database, last)[0] == (None, 0.2)
    assert "DEBUG Stored" in Path(kernel.run_dir, "monitoring.log").read_text()


def has_tables(database: Path) -> bool:
    return query(database, "SELECT COUNT(*) FROM sqlite_master WHERE name = 'parsl_event_log'") == [(1,)]


def test_a_run_without_logs_is_recorded(tmp_path: Path, wait_until: WaitUntil) -> None:
    config = Config(
        run_dir=str(tmp_path), monitoring=MonitoringHub(workflow_name="mine"), initialize_logging=False
    )
    with parsl.load(config) as kernel:
        assert kernel.workflow_name == "mine"
        double(1).result()
    wait_until(lambda: not os.path.exists(settings_file(kernel.run_dir)))
    assert query(tmp_path / "monitoring.db", "SELECT workflow_name FROM workflow") == [("mine",)]


def test_a_hub_shows_its_parameters_and_takes_those_of_earlier_years() -> None:
    hub = MonitoringHub("localhost", (55050, 56000), 55055, client_address="127.0.0.1", logdir="x")
    assert hub.hub_port == 55055
    assert "hub_address='localhost'" in repr(hub)
    assert hub.sample_interval_s == 30
    assert MonitoringHub(resource_monitoring_enabled=False).sample_interval_s is None
    assert parsl.MonitoringHub is MonitoringHub


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"logging_endpoint": "mysql://me:secret@host/x"},
            r"'mysql://me:\*\*\*@host/x'; expected sqlite:///PATH",
        ),
        ({"logging_endpoint": "sqlite:///:memory:"}, "the path of a file"),
        ({"logging_endpoint": 3}, "logging_endpoint is 3"),
        ({"resource_monitoring_interval": 0}, "resource_monitoring_interval is 0"),
        ({"resource_monitoring_enabled": 1}, "resource_monitoring_enabled is 1"),
        ({"workflow_name": ""}, "workflow_name is ''"),
        ({"interval": 3}, "unexpected keyword argument 'interval'"),
    ],
)
def test_wrong_parameters_are_named(wrong: dict[str, object], message: str) -> None:
    with pytest.raises((ConfigurationError, TypeError), match=message):
        MonitoringHub(**wrong)  # type: ignore[arg-type]


def test_monitoring_needs_the_event_log() -> None:
    with pytest.raises(ConfigurationError, match="together with event_log=False"):
        Config(monitoring=MonitoringHub(), event_log=False)
    with pytest.raises(ConfigurationError, match=r"monitoring is 'yes'.*MonitoringHub"):
        Config(monitoring="yes")  # type: ignore[arg-type]
