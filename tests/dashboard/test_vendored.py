"""The libraries of the pages are in the package as they were fetched, with their licences."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import parsl

STATIC = Path(parsl.__file__).parent / "dashboard" / "static"
TOOL = Path(__file__).parents[2] / "tools" / "vendor_assets"


def test_files_have_their_checksums():
    first, *lines = (STATIC / "vendor" / "CHECKSUMS").read_text().splitlines()
    version = re.search(r"^uplot=(.+)$", TOOL.read_text(), re.MULTILINE)
    assert version is not None
    assert version[1] in first
    sums = dict(reversed(line.split()) for line in lines)
    assert sums.keys() == {path.name for path in (STATIC / "vendor").iterdir()} - {"CHECKSUMS"}
    for name, expected in sums.items():
        assert sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == expected


def test_pages_name_no_other_host():
    for path in [*STATIC.glob("*.html"), *STATIC.glob("*.css"), *STATIC.glob("*.js")]:
        addresses = set(re.findall(r"https?://[^\s\"')]+", path.read_text()))
        assert addresses <= {"http://www.w3.org/2000/svg"}, path.name  # the name of a format


def test_pages_name_files_that_exist():
    for page in STATIC.glob("*.html"):
        for name in re.findall(r'"/static/([^"]+)"', page.read_text()):
            assert (STATIC / name).is_file(), name
    for module in STATIC.glob("*.js"):
        for name in re.findall(r'from "\./([^"]+)"', module.read_text()):
            assert (STATIC / name).is_file(), name
