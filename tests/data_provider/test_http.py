from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from parsl.data_provider.errors import CannotStage, TransferError
from parsl.data_provider.files import File
from parsl.data_provider.http import (
    HTTPInTaskStaging,
    HTTPSeparateTaskStaging,
    http_download,
    in_task_transfer_wrapper,
)
from parsl.dataflow.errors import DependencyError
from tests.data_provider.apps import app, read


@pytest.fixture
def data(web: Any) -> File:
    (web.directory / "data.txt").write_text("from afar")
    return File(web.url("data.txt"))


class TestDownload:
    def test_a_download_creates_the_files_directory(self, web: Any, tmp_path: Path) -> None:
        content = bytes(range(256)) * 10_000
        (web.directory / "big").write_bytes(content)
        http_download(web.url("big"), str(tmp_path / "a" / "b" / "big"))
        assert (tmp_path / "a" / "b" / "big").read_bytes() == content
        assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["big"]

    def test_a_truncated_download_is_an_error_and_keeps_the_existing_file(
        self, web: Any, tmp_path: Path
    ) -> None:
        there = tmp_path / "cut"
        there.write_text("old")
        with pytest.raises(TransferError, match="ended after 9 of 1000 bytes"):
            http_download(web.url("cut"), str(there))
        assert there.read_text() == "old"
        assert {path.name for path in tmp_path.iterdir()} == {"cut", "web"}

    def test_a_missing_file_is_an_error_that_names_it(self, web: Any, tmp_path: Path) -> None:
        with pytest.raises(TransferError, match=r"/nothing could not be copied .* 404 \(File not found\)"):
            http_download(web.url("nothing"), str(tmp_path / "x"))

    def test_an_unreachable_server_is_an_error_that_names_it(self, closed_port: int, tmp_path: Path) -> None:
        with pytest.raises(TransferError, match=f"127.0.0.1:{closed_port}/x .*reached: .*Connection refused"):
            http_download(f"http://127.0.0.1:{closed_port}/x", str(tmp_path / "x"))

    def test_a_silent_server_causes_a_timeout(self, web: Any, tmp_path: Path) -> None:
        with pytest.raises(TransferError, match=r"the server .*(sent nothing for 0.05 s|timed out)"):
            http_download(web.url("held"), str(tmp_path / "x"), silence_s=0.05)

    def test_a_login_does_not_reveal_the_password(self, web: Any, tmp_path: Path) -> None:
        (web.directory / "login").write_text("secret")
        http_download(web.url("login", "me:p%20q%0A@"), str(tmp_path / "x"))
        assert (tmp_path / "x").read_text() == "secret"
        with pytest.raises(TransferError, match=r"http://me:\*\*\*@127.*401") as caught:
            http_download(web.url("login", "me:wrong@"), str(tmp_path / "x"))
        assert "wrong" not in str(caught.value) + repr(caught.value.source)

    def test_a_directory_in_place_of_the_file_is_an_error(self, data: File, tmp_path: Path) -> None:
        (tmp_path / "there").mkdir()
        with pytest.raises(TransferError, match="is a directory"):
            http_download(data.url, str(tmp_path / "there"))


@pytest.mark.parametrize("provider", [None, HTTPSeparateTaskStaging(), HTTPInTaskStaging()])
@pytest.mark.parametrize("place", ["args", "key", "inputs"])
def test_a_task_finds_the_file_in_the_working_directory(
    threads: Any, working_dir: Path, data: File, provider: Any, place: str
) -> None:
    kernel = threads(storage_access=provider and [provider])
    arguments = {"args": ((data,), {}), "key": ((), {"key": data}), "inputs": ((), {"inputs": [data]})}
    args, kwargs = arguments[place]
    assert app(kernel, read)(*args, **kwargs).result() == (str(working_dir / "data.txt"), "from afar")
    assert data.local_path is None


@pytest.mark.parametrize("provider", [HTTPSeparateTaskStaging(), HTTPInTaskStaging()])
def test_downloads_work_on_workers(htex: Any, working_dir: Path, data: File, provider: Any) -> None:
    kernel = htex(storage_access=[provider])
    assert app(kernel, read)(inputs=[data]).result() == (str(working_dir / "data.txt"), "from afar")


def test_the_download_may_be_a_separate_task(threads: Any, data: File) -> None:
    for provider, tasks in ((HTTPSeparateTaskStaging(), 2), (HTTPInTaskStaging(), 1)):
        kernel = threads(storage_access=[provider])
        app(kernel, read)(data).result()
        assert kernel.task_count == tasks


def test_tasks_that_need_a_file_at_the_same_time_share_its_download(threads: Any, web: Any) -> None:
    (web.directory / "held").write_text("x")
    kernel = threads()
    futures = [app(kernel, read)(File(web.url("held"))) for _ in range(10)]
    web.release.set()
    assert {future.result()[1] for future in futures} == {"x"}
    assert web.requests == ["/held"]
    (web.directory / "held").write_text("y")
    assert app(kernel, read)(File(web.url("held"))).result()[1] == "y"


def test_files_with_the_same_name_do_not_collide(threads: Any, web: Any, working_dir: Path) -> None:
    urls = []
    for number in range(5):
        (web.directory / f"{number}").mkdir()
        (web.directory / f"{number}" / "data.csv").write_text(str(number))
        urls.append(web.url(f"{number}/data.csv"))
    kernel = threads()
    results = [app(kernel, read)(File(url)) for url in urls * 2]
    assert [future.result()[1] for future in results] == list("0123401234")
    assert all(future.result()[0].endswith("/data.csv") for future in results)
    assert results[0].result()[0] == str(working_dir / "data.csv")


@pytest.mark.parametrize("provider", [HTTPSeparateTaskStaging(), HTTPInTaskStaging()])
def test_a_failed_download_is_retried_as_tasks_are(threads: Any, web: Any, provider: Any) -> None:
    (web.directory / "flaky").write_text("at last")
    web.failures = 2
    kernel = threads(storage_access=[provider], retries=2)
    assert app(kernel, read)(File(web.url("flaky"))).result()[1] == "at last"
    web.failures = 3
    error = app(kernel, read)(File(web.url("flaky"))).exception()
    cause = error.root_cause if isinstance(error, DependencyError) else error
    assert isinstance(cause, TransferError)
    assert "the server answered 503" in str(error)


def test_the_error_of_a_task_names_the_file(threads: Any, closed_port: int) -> None:
    error = app(threads(), read)(File(f"http://127.0.0.1:{closed_port}/x.csv")).exception()
    assert isinstance(error, DependencyError)
    assert f"file http://127.0.0.1:{closed_port}/x.csv of task" in str(error)
    assert "the server cannot be reached" in str(error)


def test_a_url_without_a_name_is_refused_at_the_call(threads: Any, web: Any) -> None:
    with pytest.raises(CannotStage, match="does not name a file"):
        app(threads(), read)(File(web.url("")))


def test_http_urls_cannot_be_outputs(threads: Any, web: Any) -> None:
    kernel = threads()
    with pytest.raises(
        CannotStage, match=r"cannot stage out file 'http://.*Schemes it can stage out: file, zip"
    ):
        app(kernel, read)(outputs=[File(web.url("x"))])
    assert kernel.tasks == {}


def test_the_wrapper_downloads_first(data: File, tmp_path: Path) -> None:
    call = in_task_transfer_wrapper(read, data, str(tmp_path))
    assert call(data) == (str(tmp_path / "data.txt"), "from afar")
    assert call.__name__ == "read"
