"""The configuration of mypy for tests of types."""

from __future__ import annotations

from pathlib import Path

_TEXT = """\
[mypy]
[mypy-azure.*,kubernetes.*,dask.*,distributed.*]
follow_imports = skip
"""


def write_config(directory: Path) -> Path:
    """Write ``mypy.ini``, with which mypy does not read the types of SDKs: that takes a minute."""
    file = directory / "mypy.ini"
    file.write_text(_TEXT)
    return file
