"""Every example of the documentation runs, and prints what the page shows."""

from __future__ import annotations

import os
import subprocess
import sys
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, all_pages, expectations, make_program, read_blocks, split_output


def _pages_with_examples() -> list[Path]:
    return [
        page
        for page in all_pages()
        if any(b.is_python or b.is_command for b in read_blocks(page.read_text()))
    ]


@pytest.mark.parametrize("page", _pages_with_examples(), ids=lambda page: str(page.relative_to(DOCS)))
def test_the_examples_of_a_page_run(page, tmp_path):
    blocks = read_blocks(page.read_text())
    for block in blocks:
        if block.file_name is not None:
            path = tmp_path / block.file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
    program = f"{page.stem.replace('-', '_')}_page.py"
    (tmp_path / program).write_text(make_program(blocks))
    run = subprocess.run(
        [sys.executable, program],
        cwd=tmp_path,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert run.returncode == 0, f"{page}\n{run.stderr}\n{run.stdout}"
    printed = split_output(run.stdout)
    for block, expected in expectations(blocks):
        _check(f"{page}:{expected.line}", expected.text, printed[block.line])


def _environment() -> dict[str, str]:
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PATH": path}


def _check(where: str, expected: str, printed: str) -> None:
    matches = OutputChecker().check_output(expected, printed, ELLIPSIS | NORMALIZE_WHITESPACE)
    assert matches, f"{where}: expected\n{expected}\nbut this was printed:\n{printed}"


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: str(page.relative_to(DOCS)))
def test_examples_that_do_not_run_have_a_reason(page):
    blocks = read_blocks(page.read_text())
    assert len(blocks) == page.read_text().count("```") / 2, f"{page}: a block is not found"
    for block in blocks:
        where = f"{page}:{block.line}"
        assert block.language in {"python", "sh", "sql", "text", ""} or block.language.startswith("{"), where
        assert block.language != "sh" or block.mark, (
            f"{where}: commands run, or a mark gives the reason why not"
        )
        if block.mark.startswith("not run"):
            assert len(block.mark.partition(":")[2].strip()) > 5, f"{where}: no reason"
        assert block.mark == "" or block.mark.split(":")[0] in {"not run", "file", "run", "prints"}, (
            f"{where}: the mark {block.mark!r} is unknown"
        )
