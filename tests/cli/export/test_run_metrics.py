"""The metrics of a run, read as Prometheus reads them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from parsl.cli.main import main
from parsl.common.processes import started_at
from parsl.eventlog import records
from parsl.eventlog.file import EventFile
from tests.support.event_logs import BEGAN_S, run_began, write_event_log


def samples_of(text: str) -> dict[tuple[str, ...], float]:
    """Return the values by name and the values of labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_metrics_are_printed_once(tmp_path, capsys):
    write_event_log(tmp_path, 1000, fail_every=10, waiting=6)
    assert main(["metrics", str(tmp_path), "--once"]) == 0
    samples = samples_of(capsys.readouterr().out)
    assert samples["parsl_tasks_total", "app_0", "done"] == 300
    assert samples["parsl_tasks_total", "app_0", "failed"] == 34
    assert samples["parsl_tasks_unfinished", "app_1", "waiting"] == 2
    assert samples["parsl_task_run_seconds_bucket", "app_0", "0.1"] == 0
    assert samples["parsl_task_run_seconds_bucket", "app_0", "0.5"] == 334
    assert samples["parsl_task_run_seconds_bucket", "app_0", "+Inf"] == 334
    assert samples["parsl_task_run_seconds_sum", "app_0"] == pytest.approx(334 * 0.4)
    assert samples["parsl_attempts_failed_total", "builtins.ValueError", "final"] == 100
    assert samples["parsl_blocks", "htex", "RUNNING"] == 1
    assert samples["parsl_managers", "htex"] == samples["parsl_workers", "htex"] == 0
    assert samples["parsl_run_active",] == 0
    assert samples["parsl_run_start_time_seconds",] == BEGAN_S


def test_the_workers_of_connected_managers_are_counted(tmp_path, capsys):
    file, pid = EventFile(str(tmp_path / records.EVENT_LOG)), os.getpid()
    began = run_began(pid=pid, process_started=started_at(pid))
    managers = [records.ManagerJoined(0, n, BEGAN_S, f"m{n}", "0", f"x{n}", 1, 4) for n in range(3)]
    gone = records.ManagerGone(0, 2, BEGAN_S + 1, "its job has ended")
    for record in (began, records.Executors([records.ExecutorFacts("htex", "HTEX")]), *managers, gone):
        file.write(record)
    file.close()
    assert main(["metrics", str(tmp_path), "--once"]) == 0
    samples = samples_of(capsys.readouterr().out)
    assert (samples["parsl_managers", "htex"], samples["parsl_workers", "htex"]) == (2, 8)


def test_the_names_follow_the_conventions(tmp_path, capsys):
    write_event_log(tmp_path, 10, fail_every=5)
    assert main(["metrics", str(tmp_path), "--json"]) == 0
    families = json.loads(capsys.readouterr().out)
    assert len({family["name"] for family in families}) == len(families) > 10
    for family in families:
        assert re.fullmatch(r"parsl_[a-z_]+", family["name"])
        assert family["help"].endswith(".")
        if family["type"] == "counter":
            assert all(sample["name"].endswith("_total") for sample in family["samples"])


def test_prometheus_scrapes_a_run_that_goes_on(tmp_path):
    file = EventFile(str(tmp_path / records.EVENT_LOG))
    file.write(run_began(host="elsewhere"))
    process = subprocess.Popen(
        [sys.executable, "-m", "parsl", "metrics", str(tmp_path), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/metrics", line)
        assert found is not None, line

        def scrape():
            with urllib.request.urlopen(found[0], timeout=30) as answer:
                return samples_of(answer.read().decode())

        assert scrape()["parsl_run_active",] == 1
        file.write(records.Gap(BEGAN_S, BEGAN_S + 1, 5, "disk full"))
        assert scrape()["parsl_event_log_missing_records_total",] == 5
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    file.close()


def test_a_port_in_use_is_an_error(tmp_path, capsys):
    write_event_log(tmp_path, 1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["metrics", str(tmp_path), "--port", port]) == 1
    assert f"cannot serve at 127.0.0.1:{port}: Address already in use" in capsys.readouterr().err


def test_wrong_runs_and_ports_are_errors(tmp_path, capsys):
    assert main(["metrics", str(tmp_path)]) == 2
    assert "There is no event log" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["metrics", "--port", "99999"])
    assert "a port, from 0 to 65535" in capsys.readouterr().err
