"""All kinds of functions in a user's script work on workers; one kernel runs them all."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent / "kinds" / "script.py"
SOURCES = Path(__file__).parents[2] / "src"
KINDS = re.findall(r"^@kind\(.*\)\ndef (\w+)", SCRIPT.read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    directory = tmp_path_factory.mktemp("kinds")
    path = os.pathsep.join([str(SOURCES), *filter(None, [os.environ.get("PYTHONPATH")])])
    run = subprocess.run(
        [sys.executable, str(SCRIPT)],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert run.returncode == 0, run.stderr
    return json.loads((directory / "kinds.json").read_text())  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", KINDS)
def test_works_on_workers(outcomes: dict[str, Any], kind: str) -> None:
    outcome, expected = outcomes[kind]
    if "No module named 'numpy'" in str(outcome):
        pytest.skip("needs numpy")
    assert outcome == expected, outcome


def test_all_kinds_are_tried(outcomes: dict[str, Any]) -> None:
    assert sorted(outcomes) == sorted(KINDS)
    assert len(KINDS) >= 20
