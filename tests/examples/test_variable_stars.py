"""The pipeline of variable stars: it finds the known stars, and resumes where it was killed."""

from __future__ import annotations

import csv
import gzip
import math
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import WaitUntil

EXAMPLE = Path(__file__).parents[2] / "examples" / "variable_stars"
#: One star of each kind, and one more; as make_survey.py made them.
KINDS = {"V000": "saw-tooth", "V001": "sine", "V002": "saw-tooth", "V003": "still"}


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    """The observations of a few stars of the bundled survey."""
    path = tmp_path / "a few stars.csv.gz"
    with gzip.open(EXAMPLE / "survey.csv.gz", "rt") as whole, gzip.open(path, "wt") as part:
        part.writelines(line for line in whole if line.partition(",")[0] in KINDS)
    return path


def start(survey: Path, output: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(EXAMPLE / "pipeline.py"), "--survey", str(survey), "--output", str(output)],
        cwd=output.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(survey: Path, output: Path) -> tuple[int, int]:
    """Run the pipeline to its end; return the number of tasks and of reused results."""
    process = start(survey, output)
    printed = process.communicate(timeout=100)[0]
    assert process.returncode == 0, printed
    [numbers] = re.findall(r"^(\d+) tasks, (\d+) of them done in an earlier run$", printed, re.MULTILINE)
    return int(numbers[0]), int(numbers[1])


def check_products(output: Path) -> None:
    with open(output / "stars.csv", newline="") as file:
        assert {row["star"]: row["kind"] for row in csv.DictReader(file)} == KINDS
    assert (output / "stars.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_pipeline_finds_the_stars_and_resumes_where_it_was_killed(
    survey: Path, tmp_path: Path, wait_until: WaitUntil
) -> None:
    output = tmp_path / "the output"
    killed = start(survey, output)
    checkpoint = output / "runinfo" / "000" / "checkpoint" / "tasks.pkl"
    wait_until(lambda: checkpoint.exists() and checkpoint.stat().st_size, 60, "the first task")
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate(timeout=60)
    tasks, reused = run(survey, output)
    assert tasks == 1 + 2 * len(KINDS) + 2
    assert reused >= 1
    check_products(output)
    assert run(survey, output) == (tasks, tasks)


def test_a_period_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    import light_curve

    chance = random.Random(7)
    times = [night + chance.uniform(0, 0.4) for night in range(60) for _ in range(2)]
    points = [(time, math.sin(2 * math.pi * time / 0.7)) for time in times]
    found = light_curve.describe(points)
    assert found["period_d"] == pytest.approx(0.7, rel=0.01)
    assert found["kind"] == "sine"
    assert found["range_mag"] == pytest.approx(2.0, rel=0.1)


def test_the_survey_is_reproducible(tmp_path: Path) -> None:
    again = tmp_path / "again.csv.gz"
    subprocess.run([sys.executable, str(EXAMPLE / "make_survey.py"), str(again)], check=True)
    with gzip.open(EXAMPLE / "survey.csv.gz") as bundled, gzip.open(again) as made:
        assert bundled.read() == made.read()
