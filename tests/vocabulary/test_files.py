from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from parsl.data_provider.files import File
from parsl.validate import ParameterTypeError, ParameterValueError


@pytest.mark.parametrize(
    ("url", "scheme", "netloc", "path", "filename"),
    [
        ("/tmp/x", "file", "", "/tmp/x", "x"),
        ("rel/x y.txt", "file", "", "rel/x y.txt", "x y.txt"),
        ("file:///tmp/x", "file", "", "/tmp/x", "x"),
        ("file:rel/x", "file", "", "rel/x", "x"),
        ("FILE:///x", "file", "", "/x", "x"),
        ("file://localhost/tmp/x", "file", "localhost", "/tmp/x", "x"),
        ("http://a:80/b/c?x=1#f", "http", "a:80", "/b/c", "c"),
        ("ftp://h/p/q", "ftp", "h", "/p/q", "q"),
        ("globus://ep/path", "globus", "ep", "/path", "path"),
        ("zip:/a.zip/b", "zip", "", "/a.zip/b", "b"),
        ("a b#c", "file", "", "a b", "a b"),
        ("a?b=1", "file", "", "a", "a"),
    ],
)
def test_the_parts_of_a_url(url: str, scheme: str, netloc: str, path: str, filename: str) -> None:
    file = File(url)
    assert (file.url, file.scheme, file.netloc, file.path, file.filename) == (
        url,
        scheme,
        netloc,
        path,
        filename,
    )
    assert file.local_path is None
    if scheme == "file":
        assert file.filepath == str(file) == os.fspath(file) == path
    else:
        with pytest.raises(ValueError, match="No local_path set"):
            _ = file.filepath


def test_a_path_object() -> None:
    assert File(Path("/a/b")).url == "/a/b"


@pytest.mark.parametrize("wrong", [3, None, b"x", [Path("x")]])
def test_anything_else_is_refused(wrong: Any) -> None:
    with pytest.raises(ParameterTypeError, match=r"File: url is .* expected a path"):
        File(wrong)


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(ParameterValueError, match=r"File: url is '' .* expected a path .* that is not empty"):
        File("")


def test_a_staged_file_has_a_local_path_and_its_clean_copy_has_none() -> None:
    file = File("http://a/b")
    file.local_path = "/here/b"
    assert file.filepath == "/here/b"
    assert "local_path=/here/b" in repr(file)
    copy = file.cleancopy()
    assert copy.url == "http://a/b"
    assert copy.local_path is None
    assert pickle.loads(pickle.dumps(file)).filepath == "/here/b"
