"""Scripts print what is recorded, with this package and, if an interpreter has it, with upstream."""

from __future__ import annotations

import os
import sys

import pytest

from tests.conformance.agreed import deliberate_behaviours
from tests.conformance.behaviour import UPSTREAM, difference, read, read_all, run

BEHAVIOURS = read_all()
UPSTREAM_PYTHON = os.environ.get(UPSTREAM, "")


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda one: one.name)
def test_this_package(behaviour):
    made = run(behaviour, sys.executable)
    assert not difference(behaviour.ours, made.printed), made.log


@pytest.mark.skipif(not UPSTREAM_PYTHON, reason=f"{UPSTREAM} names no interpreter with upstream Parsl")
@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda one: one.name)
def test_upstream(behaviour):
    made = run(behaviour, UPSTREAM_PYTHON)
    assert not difference(behaviour.upstream, made.printed), made.log


def test_each_deliberate_difference_has_its_reason_in_the_documentation():
    differing = {one.name for one in BEHAVIOURS if one.theirs is not None}
    agreed = set(deliberate_behaviours().patterns)
    assert differing == agreed, "the table in docs/compatibility.md names exactly the scripts that differ"


def test_a_recorded_difference_is_one():
    assert [one.name for one in BEHAVIOURS if one.theirs == one.ours] == []


def test_there_are_enough():
    assert len(BEHAVIOURS) >= 40


def test_a_script_is_read(tmp_path):
    script = tmp_path / "b.py"
    script.write_text('"""A sum."""\n\nprint(1 + 1)\n\n# prints:\n# 2\n#\n# upstream prints:\n# 3\n# 4\n')
    behaviour = read("a/b", script)
    assert (behaviour.description, behaviour.ours, behaviour.upstream) == ("A sum.", "2", "3\n4")


def test_a_script_without_a_record_is_an_error(tmp_path):
    script = tmp_path / "b.py"
    script.write_text('"""A sum."""\n\nprint(1 + 1)\n')
    with pytest.raises(ValueError, match="needs a docstring"):
        read("a/b", script)


def test_the_output_and_the_exit_code_of_a_script_are_seen(tmp_path):
    script = tmp_path / "b.py"
    script.write_text('"""An end."""\nimport sys\n\nprint("one")\nsys.exit(3)\n\n# prints:\n# one\n')
    made = run(read("a/b", script), sys.executable)
    assert made.printed == "one\n(exit code 3)"
    assert difference("one", made.printed).endswith("+(exit code 3)")
