"""mypy's errors in scripts that use apps. Each wrong line is marked with the expected error."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.types_config import write_config

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).parent / "scripts"
_MARK = re.compile(r"# error: \[(?P<code>[a-z-]+)\]")


def expected_errors() -> set[tuple[str, int, str]]:
    return {
        (path.name, number, found["code"])
        for path in SCRIPTS.glob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (found := _MARK.search(line))
    }


@pytest.fixture(scope="module")
def mypy_output(tmp_path_factory: pytest.TempPathFactory) -> str:
    pytest.importorskip("mypy")
    directory = tmp_path_factory.mktemp("mypy")
    command = [
        *(
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--show-error-codes",
            "--no-error-summary",
            "--no-pretty",
        ),
        *(
            "--follow-imports",
            "silent",
            "--python-version",
            "3.10",
            "--config-file",
            str(write_config(directory)),
        ),
        *("--cache-dir", str(directory / "cache")),
        *map(str, sorted(SCRIPTS.glob("*.py"))),
    ]
    source = Path(__file__).parents[2] / "src"
    done = subprocess.run(
        command, capture_output=True, text=True, env={"MYPYPATH": str(source)}, cwd=SCRIPTS, check=False
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def test_mypy_finds_exactly_the_marked_errors(mypy_output: str) -> None:
    found = {
        (Path(match["path"]).name, int(match["line"]), match["code"])
        for match in re.finditer(
            r"^(?P<path>.+?):(?P<line>\d+): error: .*\[(?P<code>[a-z-]+)\]$", mypy_output, re.M
        )
    }
    assert found == expected_errors(), mypy_output


def test_the_errors_name_the_functions_own_parameters(mypy_output: str) -> None:
    assert "def __call__(self, x: int, y: str = ...) -> AppFuture[float]" in mypy_output
