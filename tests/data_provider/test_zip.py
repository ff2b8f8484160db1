from __future__ import annotations

import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from parsl.data_provider.errors import CannotStage, TransferError
from parsl.data_provider.files import File
from parsl.data_provider.zip import (
    ZipAuthorityError,
    ZipFileStaging,
    add_member,
    extract_member,
    zip_path_split,
)
from parsl.dataflow.errors import DependencyError
from tests.data_provider.apps import app, bash, echo, read, write


@pytest.mark.parametrize(
    ("path", "archive", "member"),
    [
        ("/a.zip/b", "/a.zip", "b"),
        ("/a.zip/b.zip/c", "/a.zip", "b.zip/c"),
        ("/a.zip/", "/a.zip", ""),
        ("/d/a.zip/m/n.txt", "/d/a.zip", "m/n.txt"),
        ("/a.zipx/b.zip/c", "/a.zipx/b.zip", "c"),
        ("rel/a.zip/b", "rel/a.zip", "b"),
    ],
)
def test_the_path_of_an_archive_and_the_path_in_it(path: str, archive: str, member: str) -> None:
    assert zip_path_split(path) == (archive, member)


@pytest.mark.parametrize("path", ["/x/y", "a.zip", ""])
def test_a_path_without_an_archive_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"expected /path/archive\.zip/member"):
        zip_path_split(path)


@pytest.mark.parametrize(
    "url", ["zip:/x/y", "zip:/a.zip", "zip:/a.zip/", "zip:/a.zip/../../etc/x", "zip:/a.zip//x"]
)
def test_an_invalid_archive_path_is_refused_at_the_call(threads: Any, url: str) -> None:
    kernel = threads()
    for call in (lambda: app(kernel, read)(File(url)), lambda: app(kernel, write)("", outputs=[File(url)])):
        with pytest.raises(CannotStage, match="zip:"):
            call()
    assert kernel.tasks == {}


def test_two_slashes_make_a_host_which_is_refused() -> None:
    with pytest.raises(ZipAuthorityError, match=r"authority \(netloc\) section \(h\), for zip://h/a\.zip/b"):
        ZipFileStaging().can_stage_in(File("zip://h/a.zip/b"))
    assert not ZipFileStaging().can_stage_in(File("http://h/a.zip/b"))


def test_a_member_written_by_one_task_is_read_by_another(
    threads: Any, tmp_path: Path, working_dir: Path
) -> None:
    kernel = threads()
    file = File(f"zip:{tmp_path}/new dir/out.zip/m/x.txt")
    written = app(kernel, write)("text", outputs=[file])
    assert written.result() == [str(working_dir / "m" / "x.txt")]
    (output,) = written.outputs
    assert app(kernel, read)(output).result() == (str(working_dir / "m" / "x.txt"), "text")
    assert output.result() is file
    assert zipfile.ZipFile(tmp_path / "new dir" / "out.zip").read("m/x.txt") == b"text"
    assert app(kernel, read)(file).result()[1] == "text"


def test_standard_output_can_go_into_an_archive(threads: Any, tmp_path: Path) -> None:
    kernel = threads()
    future = bash(kernel, echo)("hello", stdout=File(f"zip:{tmp_path}/out.zip/o.txt"))
    assert future.result() == 0
    assert app(kernel, read)(future.stdout).result()[1] == "hello\n"


def test_on_workers(htex: Any, tmp_path: Path) -> None:
    kernel = htex()
    futures = [
        app(kernel, write)(str(i), outputs=[File(f"zip:{tmp_path}/out.zip/{i}/x.txt")]) for i in range(8)
    ]
    reads = [app(kernel, read)(future.outputs[0]) for future in futures]
    assert [future.result()[1] for future in reads] == list("01234567")


def test_many_tasks_add_and_read_at_the_same_time(tmp_path: Path) -> None:
    archive = str(tmp_path / "a.zip")
    for number in range(40):
        (tmp_path / str(number)).write_text(str(number) * 1000)

    def put_and_get(number: int) -> str:
        add_member(archive, f"{number}.txt", str(tmp_path / str(number)))
        extract_member(archive, f"{number}.txt", str(tmp_path / f"{number}.back"))
        return (tmp_path / f"{number}.back").read_text()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(put_and_get, range(40))) == [str(number) * 1000 for number in range(40)]
    assert zipfile.ZipFile(archive).testzip() is None


def test_a_member_added_again_replaces_the_old_one(tmp_path: Path) -> None:
    source, archive = tmp_path / "x", str(tmp_path / "a.zip")
    for text in ("old", "new"):
        source.write_text(text)
        add_member(archive, "x", str(source))
    extract_member(archive, "x", str(source))
    assert source.read_text() == "new"


def test_a_failure_leaves_the_archive_unchanged(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    (tmp_path / "x").write_text("x")
    add_member(str(archive), "x", str(tmp_path / "x"))
    before = archive.read_bytes()
    with pytest.raises(TransferError, match=r"the task has not written .*/nothing"):
        add_member(str(archive), "y", str(tmp_path / "nothing"))
    assert archive.read_bytes() == before


def test_a_missing_member_is_named(threads: Any, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    add_member(str(tmp_path / "a.zip"), "x", str(tmp_path / "x"))
    (tmp_path / "bad.zip").write_text("this is none")
    kernel = threads()
    for name, message in (
        ("a.zip/y", "'y' in .*a.zip .*no such member"),
        ("b.zip/y", "there is no .*b.zip"),
        ("bad.zip/y", "BadZipFile"),
    ):
        error = app(kernel, read)(File(f"zip:{tmp_path}/{name}")).exception()
        assert isinstance(error, DependencyError)
        with pytest.raises(TransferError, match=message):
            raise error.root_cause  # type: ignore[misc]
