"""A limit on the time of a function, in the process that runs it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from parsl.executors.local.interrupt import TimeLimited
from parsl.vocabulary.app_errors import AppTimeout

#: In a process of its own: there, the function runs in the main thread for certain.
PROGRAM = """
import signal, subprocess, threading, time
from parsl.executors.local.interrupt import TimeLimited
from parsl.vocabulary.app_errors import AppTimeout

def work():
    {work}

try:
    TimeLimited(work, 0.1)()
except AppTimeout as error:
    print(error)
assert signal.getsignal(signal.SIGURG) is signal.SIG_DFL
"""


@pytest.mark.parametrize(
    "work",
    [
        "time.sleep(600)",
        "threading.Event().wait()",
        "subprocess.run(['sleep', '600'])",
        "while True: pass",
        "TimeLimited(time.sleep, 500)(600)",
    ],
)
def test_work_in_the_main_thread_is_interrupted_wherever_it_waits(work: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(work=work)],
        stdin=subprocess.PIPE,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith("App work exceeded walltime: 0.1 seconds on host ")


def test_the_limit_within_another_one_interrupts_as_well() -> None:
    program = """
import time
from parsl.executors.local.interrupt import TimeLimited
from parsl.vocabulary.app_errors import AppTimeout

def inner():
    try:
        TimeLimited(time.sleep, 0.1)(600)
    except AppTimeout:
        return "inner"

print(TimeLimited(inner, 500)())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "inner\n"


def test_a_function_in_another_thread_or_with_a_handler_of_its_own_is_limited_as_well() -> None:
    def spin() -> None:
        while True:
            pass

    errors: list[BaseException] = []

    def run() -> None:
        try:
            TimeLimited(spin, 0.1)()
        except AppTimeout as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    assert len(errors) == 1
    before = signal.signal(signal.SIGURG, signal.SIG_IGN)
    try:
        run()
        assert signal.getsignal(signal.SIGURG) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGURG, before)
    assert len(errors) == 2
