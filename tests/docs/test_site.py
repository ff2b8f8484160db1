"""The documentation builds without a warning."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.docs.pages import DOCS

pytestmark = pytest.mark.slow


@pytest.mark.timeout(600)
def test_the_site_builds(tmp_path):
    """Sphinx takes more than ten seconds, since it reads the docstrings of all public modules."""
    pytest.importorskip("sphinx", reason="Sphinx comes with the extra 'docs'")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
    run = subprocess.run(
        [*command, "-d", tmp_path / "doctrees", DOCS, tmp_path / "html"],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "html" / "index.html").exists()
