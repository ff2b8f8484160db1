"""The program that calls a function on a worker: workers end it by its process group."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from parsl.executors.cctools.executor import TASK_SCRIPT

SHOW = """
import os

def show():
    print(os.getpgrp(), flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize(
    ("command", "leads"), [("exec {}", True), ("trap : EXIT\n{}", False)], ids=["instead", "inside"]
)
def test_it_leads_a_group_if_it_takes_the_place_of_the_shell(
    tmp_path: Path, command: str, leads: bool
) -> None:
    (tmp_path / "shown.py").write_text(SHOW)
    call = (
        f"{shlex.join([sys.executable, TASK_SCRIPT])} $$ {shlex.join([sys.executable, '', 'shown', 'show'])}"
    )
    # As a worker whose attempt to make the group came too late.
    with subprocess.Popen(
        ["sh", "-c", command.format(call)], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + 9
    assert int(printed) == (process.pid if leads else os.getpgrp())
