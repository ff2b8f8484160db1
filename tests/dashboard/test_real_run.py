"""A run of a real script, watched in a real browser, until its driver is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

#: What a browser shows does not depend on Python: .ci/run tests it under one version only.
pytestmark = pytest.mark.slow

expect = pytest.importorskip("playwright.sync_api", reason="Playwright comes with the extra 'test'").expect

SCRIPT = """\
import sys
import parsl
from parsl import Config, HighThroughputExecutor, python_app
from parsl.executors import ThreadPoolExecutor
from parsl.providers import LocalProvider

@python_app(executors=["workers"])
def wait_for(path):
    import os, time
    while not os.path.exists(path):
        time.sleep(0.05)

@python_app(executors=["threads"])
def divide(number):
    return 1 / number

provider = LocalProvider(init_blocks=1, max_blocks=1)
workers = HighThroughputExecutor(label="workers", max_workers_per_node=2, provider=provider)
with parsl.load(Config(run_dir=sys.argv[1], executors=[workers, ThreadPoolExecutor(label="threads")])):
    tasks = [wait_for(sys.argv[2]) for _ in range(5)] + [divide(n) for n in (0, 1, 2)]
    for task in tasks:
        task.exception()
"""


@pytest.fixture
def start_script(tmp_path: Path):
    """Start the script with a directory for its runs; its tasks end when the file `go` appears."""
    (tmp_path / "script.py").write_text(SCRIPT)
    started = []

    def start() -> tuple[subprocess.Popen[bytes], Path]:
        command = [sys.executable, tmp_path / "script.py", tmp_path / "runs", tmp_path / "go"]
        path = os.pathsep.join(sys.path)
        started.append(subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}))
        return started[-1], tmp_path / "runs"

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.linux
def test_a_run_is_watched_until_its_end(serve, page, start_script, tmp_path):
    script, runs = start_script()
    runs.mkdir(exist_ok=True)
    page.goto(serve(runs).address)
    page.get_by_role("link", name="000").click()
    moving, waiting = page.locator("section#moving"), page.locator("section#waiting")
    expect(page.get_by_role("status")).to_have_text("running")
    expect(moving.get_by_role("row", name="wait_for")).to_contain_text("5")
    expect(moving).to_contain_text("2 running")
    expect(waiting).to_contain_text("all 2 workers are busy")
    expect(page.locator("section#failed")).to_contain_text("ZeroDivisionError")
    (tmp_path / "go").touch()
    assert script.wait(60) == 0
    expect(page.get_by_role("status")).to_have_text("ended")
    expect(moving).to_contain_text("8 of 8")
    expect(page.locator("section#timeline")).to_contain_text("on the workers shown")


@pytest.mark.linux
def test_a_run_is_watched_until_its_driver_is_killed(serve, page, start_script):
    script, runs = start_script()
    runs.mkdir(exist_ok=True)
    page.goto(serve(runs).address)
    page.get_by_role("link", name="000").click()
    expect(page.locator("section#moving")).to_contain_text("2 running")
    script.send_signal(signal.SIGKILL)
    script.wait()
    expect(page.get_by_role("status")).to_have_text("driver lost")
    expect(page.locator("section#moving")).to_contain_text("without a goodbye")
