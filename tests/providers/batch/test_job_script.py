from __future__ import annotations

import pytest

from parsl.providers.batch.job_script import double_quoted, fill_template
from parsl.providers.errors import ScriptPathError


def fill(tmp_path, text, **values):
    path = tmp_path / "job.sh"
    path.write_text(text)
    return fill_template(str(path), values)


def test_placeholders_are_filled_and_lines_without_a_value_are_omitted(tmp_path):
    text = "#PBS -q {{queue}}\n#PBS -A {{account}}\nx={{x}}{{x}}\n"
    assert fill(tmp_path, text, queue=None, account="a", x="") == "#PBS -A a\nx=\n"


def test_values_are_not_expanded_again(tmp_path):
    assert fill(tmp_path, "{{a}}\n", a=r"{{b}} \1 \g<0>") == "{{b}} \\1 \\g<0>\n"


def test_a_placeholder_without_a_value_is_an_error(tmp_path):
    with pytest.raises(KeyError, match="queue"):
        fill(tmp_path, "{{queue}}\n")


def test_a_missing_template_is_named(tmp_path):
    with pytest.raises(ScriptPathError, match="nowhere"):
        fill_template(str(tmp_path / "nowhere"), {})


@pytest.mark.parametrize(
    ("path", "quoted"), [("/a/b.c", "/a/b.c"), ("/a b", '"/a b"'), ('/a" b', '"/a\\" b"')]
)
def test_double_quoted(path, quoted):
    assert double_quoted(path) == quoted
