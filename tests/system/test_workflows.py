"""Scripts on the topics of a user guide, run unchanged with either executor."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "workflows"
SOURCES = Path(__file__).parents[2] / "src"
TOPICS = [path.stem for path in sorted(SCRIPTS.glob("topic_*.py"))]


@pytest.mark.parametrize("kind", ["threads", "htex"])
def test_scripts_run_unchanged(kind: str, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", str(SCRIPTS / "run_all.py"), kind],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SOURCES), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.endswith(" ".join(["scripts that ran:", *TOPICS, "checkpointing", "plugins\n"]))
