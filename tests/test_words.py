"""The check that finds words which the glossary replaces."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent.parent / ".ci" / "words"


@pytest.fixture(scope="module")
def words() -> Any:
    if not SCRIPT.exists():
        pytest.skip("a source distribution does not contain the check")
    loader = importlib.machinery.SourceFileLoader("words", str(SCRIPT))
    spec = importlib.util.spec_from_loader("words", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("source", "line", "word"),
    [
        ("MOST_TRIES = 3", 1, "MOST_TRIES"),
        ("_LONGEST_WAIT_S = 3", 1, "_LONGEST_WAIT_S"),
        ("class HeldPlease: ...", 1, "HeldPlease"),
        ("def leave_will(): ...", 1, "leave_will"),
        ("def send(told): ...", 1, "told"),  # words: an example
        ("self.is_doubtful = True", 1, "is_doubtful"),
        ("x = 1  # whoever sets it", 1, "whoever"),  # words: an example
        ('"""First.\n\nNobody is left.\n"""', 3, "Nobody"),  # words: an example
        ("raise E(f'The time is {x} over the limit')", 1, "over the limit"),  # words: an example
    ],
)
def test_a_forbidden_word_is_found_where_it_is(words: Any, source: str, line: int, word: str) -> None:
    found = words.findings_in_source(Path("module.py"), source)
    assert [(each.line, each.word) for each in found] == [(line, word)]
    assert str(found[0]).startswith(f"module.py:{line}: {word!r}; write: ")


@pytest.mark.parametrize(
    "source",
    [
        "MAX_TRIES = 3",
        "def pleased(willing, foretold): ...",
        "position = stream.tell()",  # words: an example
        "x = 1  # the task will run",
        "def give_up(): ...",
        "def tell(self): ...  # words: a method of file objects",  # words: an example
    ],
)
def test_ordinary_words_pass(words: Any, source: str) -> None:
    assert words.findings_in_source(Path("module.py"), source) == []


def test_the_name_of_a_module_is_checked(words: Any) -> None:
    [found] = words.findings_in_source(Path("heir.py"), "")  # words: an example
    assert found.word == "heir"  # words: an example


def test_findings_fail_the_check(words: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.py").write_text("heir = 1\nx = 'forgive'\n")  # words: an example
    assert words.main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path}/bad.py:1: 'heir'; write: cleanup commands",  # words: an example
        f"{tmp_path}/bad.py:2: 'forgive'; write: extend deadlines",  # words: an example
    ]
    assert words.main(["--count", str(tmp_path)]) == 1
    assert capsys.readouterr().out == f"    2 {tmp_path}\n"
    (tmp_path / "bad.py").write_text("commands = 1\n")
    assert words.main([str(tmp_path)]) == 0
