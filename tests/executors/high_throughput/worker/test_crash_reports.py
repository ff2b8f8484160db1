"""The report of a crashed worker shows its stack, and only crashes of the worker itself count."""

from __future__ import annotations

import os
import signal

import pytest

from parsl.executors.high_throughput.worker.fork_server import CrashReports


@pytest.fixture
def file() -> int:
    return CrashReports().create()


def test_only_a_crash_has_a_report(file: int) -> None:
    os.write(file, b"Fatal Python error: Aborted\n")
    reports = CrashReports()
    reports.keep(7, file)
    assert repr(reports) == "<CrashReports of 1 workers>"
    assert reports.take(7, exit_code=3) == ""
    assert reports.take(7, exit_code=-signal.SIGSEGV) == ""  # the report has been consumed


def test_lines_that_every_report_has_are_removed(file: int) -> None:
    own = os.path.join(os.path.dirname(os.path.abspath(CrashReports.__init__.__code__.co_filename)), "x.py")
    lines = [
        "Fatal Python error: Aborted",
        "",
        '  File "model.py", line 3 in step',
        f'  File "{own}", line 1',
    ]
    os.write(file, "\n".join([*lines, "", "Extension modules: a, b (total: 2)"]).encode())
    reports = CrashReports()
    reports.keep(7, file)
    assert reports.take(7, -signal.SIGABRT) == "\n".join(lines[:3])


def test_without_a_file_there_is_no_report() -> None:
    reports = CrashReports()
    reports.keep(7, -1)
    reports.become_worker(-1)
    assert reports.take(7, -signal.SIGSEGV) == ""
