"""Users' staging providers, and the kernel's handling of files."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import parsl
from parsl.app.futures import DataFuture
from parsl.config import Config
from parsl.data_provider.data_manager import DataManager
from parsl.data_provider.errors import CannotStage, TransferError, without_password
from parsl.data_provider.file_noop import NoOpFileStaging
from parsl.data_provider.files import File
from parsl.data_provider.stager import Stager
from parsl.data_provider.staging import Staging
from parsl.data_provider.transfers import StagedCall
from parsl.executors import ThreadPoolExecutor
from parsl.validate import ParameterError
from tests.data_provider.apps import app, bash, echo, read, write


class Shelf(Staging):
    """Files named ``shelf:/name``, kept in a directory. Records its calls."""

    schemes = ("shelf",)

    def __init__(self, directory: Path, log: list[Any]) -> None:
        self.directory, self.log = directory, log

    def can_stage_in(self, file: File) -> bool:
        return file.scheme == "shelf"

    can_stage_out = can_stage_in

    def stage_in(self, dm: Any, executor: str, file: File, parent_fut: Any) -> None:
        self.log.append(("stage_in", executor, file.url, type(parent_fut)))
        file.local_path = str(self.directory / file.filename)

    def stage_out(self, dm: Any, executor: str, file: File, app_fu: Any) -> Any:
        self.log.append(("stage_out", executor, file.url))
        file.local_path = os.path.join(dm.working_dir(executor), file.filename)
        dm.submit_transfer(partial(os.makedirs, exist_ok=True), [dm.working_dir(executor)]).result()
        there = str(self.directory / file.filename)
        return dm.submit_transfer(shutil.copyfile, (file.local_path, there), executor, [app_fu])

    def replace_task(self, dm: Any, executor: str, file: File, func: Any) -> Any:
        self.log.append(("replace_task", file.local_path, func.__name__))

    def replace_task_stage_out(self, dm: Any, executor: str, file: File, func: Any) -> Any:
        self.log.append(("replace_task_stage_out", file.filepath, func.__name__))


@pytest.fixture
def log() -> list[Any]:
    return []


@pytest.fixture
def shelf(tmp_path: Path, log: list[Any]) -> Shelf:
    directory = tmp_path / "shelf"
    directory.mkdir()
    return Shelf(directory, log)


class TestProviders:
    def test_staging_providers_are_tried_in_turn_with_a_copy_of_each_file(
        self, threads: Any, shelf: Shelf, log: list[Any], working_dir: Path
    ) -> None:
        kernel = threads(storage_access=[NoOpFileStaging(), shelf])
        target = File("shelf:/x")
        written = app(kernel, write)("text", outputs=[target])
        here, there = str(working_dir / "x"), str(shelf.directory / "x")
        assert written.result() == [here]
        assert app(kernel, read)(written.outputs[0]).result() == (there, "text")
        assert written.outputs[0].result() is target
        assert target.local_path is None
        assert log == [
            ("stage_out", "threads", "shelf:/x"),
            ("replace_task_stage_out", here, "write"),
            ("stage_in", "threads", "shelf:/x", DataFuture),
            ("replace_task", there, "read"),
        ]

    def test_an_unknown_scheme_is_an_error_at_the_call_that_lists_the_providers(
        self, threads: Any, shelf: Shelf
    ) -> None:
        with pytest.raises(
            CannotStage,
            match=r"'threads' cannot stage in file 's3://a/b'.*'s3'.*Schemes it can stage in: "
            r"file, ftp, http, https, zip\. .*storage_access",
        ):
            app(threads(), read)(File("s3://a/b"))
        with pytest.raises(ValueError, match=r"Schemes it can stage in: shelf\. .*add parsl.*GlobusStaging"):
            app(threads(storage_access=[shelf]), read)(File("globus://a/b"))
        with pytest.raises(
            ValueError, match=r"cannot stage in file '.*plain'.*Schemes it can stage in: none"
        ):
            app(threads(storage_access=[]), read)(File("plain"))

    def test_a_provider_of_upstreams_kind_may_submit_an_app(self, threads: Any, tmp_path: Path) -> None:
        class Copier(NoOpFileStaging):
            def stage_in(self, dm: Any, executor: str, file: File, parent_fut: Any) -> Any:
                file.local_path = str(tmp_path / "copy")

                @parsl.python_app(data_flow_kernel=dm.dfk, executors=[executor])
                def copy(source: str, outputs: Any = (), _parsl_staging_inhibit: bool = True) -> None:
                    shutil.copyfile(source, outputs[0].local_path)

                return copy(file.path, outputs=[file], _parsl_staging_inhibit=True).outputs[0]

        (tmp_path / "x").write_text("x")
        kernel = threads(storage_access=[Copier()])
        assert app(kernel, read)(File(tmp_path / "x")).result() == (str(tmp_path / "copy"), "x")

    def test_a_providers_exception_is_an_error_at_the_call_and_leaves_nothing_pending(
        self, threads: Any, shelf: Shelf
    ) -> None:
        def explode(*_: Any) -> None:
            raise RuntimeError("boom")

        kernel = threads(storage_access=[shelf, NoOpFileStaging()])
        shelf.replace_task_stage_out = explode  # type: ignore[method-assign]
        with pytest.raises(RuntimeError, match="boom"):
            app(kernel, write)("x", outputs=[File("shelf:/x")])
        kernel.wait_for_current_tasks()
        assert kernel.tasks == {}

    def test_an_executor_without_these_attributes_has_the_default_ones(self, threads: Any) -> None:
        kernel = threads()
        del kernel.executors["threads"].storage_access
        del kernel.executors["threads"].working_dir
        assert kernel.data_manager.working_dir("threads") == ""
        assert len(Stager(kernel.data_manager).providers("threads")) == 4

    def test_staging_providers_of_executors_added_later_count(
        self, threads: Any, shelf: Shelf, tmp_path: Path
    ) -> None:
        kernel = threads()
        kernel.add_executors([ThreadPoolExecutor("later", storage_access=[shelf], working_dir=str(tmp_path))])
        (shelf.directory / "x").write_text("x")
        call = parsl.python_app(read, data_flow_kernel=kernel, executors=["later"])
        assert call(File("shelf:/x")).result()[1] == "x"


class TestOutputs:
    def test_a_missing_directory_is_created_where_the_task_runs(self, threads: Any, tmp_path: Path) -> None:
        target = tmp_path / "not" / "yet" / "x"
        assert app(threads(), write)("x", outputs=[File(target)]).outputs[0].result().filepath == str(target)
        assert target.read_text() == "x"

    def test_on_workers_too(self, htex: Any, tmp_path: Path) -> None:
        target = tmp_path / "not" / "yet" / "x"
        app(htex(), write)("x", outputs=[File(target)]).result()
        assert target.read_text() == "x"

    def test_a_failed_task_fails_the_futures_of_its_outputs(
        self, threads: Any, shelf: Shelf, tmp_path: Path
    ) -> None:
        def fail(outputs: Any) -> None:
            raise ValueError("no result")

        kernel = threads(storage_access=[NoOpFileStaging(), shelf])
        future = app(kernel, fail)(outputs=[File("shelf:/x"), File(tmp_path / "y")])
        assert "no result" in str(future.outputs[0].exception())
        assert future.outputs[1].exception() is future.exception()

    def test_a_missing_output_fails_only_its_future(self, threads: Any, shelf: Shelf) -> None:
        kernel = threads(storage_access=[shelf])
        future = app(kernel, lambda outputs: 7)(outputs=[File("shelf:/x")])
        assert isinstance(future.outputs[0].exception(), FileNotFoundError)
        assert future.result() == 7


class TestStreams:
    def test_a_file_is_staged_out(self, threads: Any, shelf: Shelf) -> None:
        kernel = threads(storage_access=[shelf])
        future = bash(kernel, echo)("hello", stdout=File("shelf:/out.txt"))
        assert isinstance(future.stdout, DataFuture)
        future.stdout.result()
        assert (shelf.directory / "out.txt").read_text() == "hello\n"

    @pytest.mark.parametrize("mode", ["w", "a"])
    def test_std_autopath_may_choose_a_file_with_a_mode(
        self, threads: Any, shelf: Shelf, tmp_path: Path, mode: str
    ) -> None:
        chosen: list[Any] = []

        def choose(record: Any, stream: str) -> Any:
            chosen.append((record["func_name"], stream))
            return File(f"shelf:/{stream}.txt"), mode

        kernel = threads(storage_access=[shelf], std_autopath=choose)
        future = bash(kernel, echo)("hello", stdout=parsl.AUTO_LOGNAME)
        assert future.stdout.result().url == "shelf:/stdout.txt"
        assert (shelf.directory / "stdout.txt").read_text() == "hello\n"
        assert chosen == [("echo", "stdout")]

    def test_std_autopath_may_choose_a_path_with_a_mode_or_a_file(self, threads: Any, tmp_path: Path) -> None:
        path = tmp_path / "logs" / "out.txt"
        for answer in ((str(path), "w"), File(path), path):
            kernel = threads(std_autopath=lambda *_, answer=answer: answer)
            future = bash(kernel, echo)("hello", stdout=parsl.AUTO_LOGNAME)
            assert future.result() == 0
            assert path.read_text() == "hello\n"
            path.unlink()

    def test_an_invalid_result_of_std_autopath_is_an_error_at_the_call(self, threads: Any) -> None:
        with pytest.raises(ParameterError, match="app echo: stdout is 3"):
            bash(threads(std_autopath=lambda *_: 3), echo)("x", stdout=parsl.AUTO_LOGNAME)


class TestParts:
    def test_local_paths(self) -> None:
        directories = {"e": "/w", "another executor": "/w", "nowhere": None}
        executors = {label: SimpleNamespace(working_dir=path) for label, path in directories.items()}
        choose = DataManager(SimpleNamespace(executors=executors)).local_path
        assert choose(File("http://x/a"), "e") == "/w/a" == choose(File("http://x/a"), "e")
        other = choose(File("http://y/a"), "e")
        assert other != "/w/a"
        assert os.path.dirname(os.path.dirname(other)) == "/w"
        assert other == choose(File("http://y/a"), "e")
        assert choose(File("http://y/a"), "another executor") == "/w/a"
        assert choose(File("u:a"), "nowhere") == "a"

    def test_a_staged_call(self) -> None:
        log: list[Any] = []
        call = StagedCall(
            lambda x: log.append(x) or x, [partial(log.append, "in")], [partial(log.append, "out")]
        )
        assert call(3) == 3
        assert log == ["in", 3, "out"]
        assert repr(call) == "<StagedCall <lambda>, 1 before, 1 after>"

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("http://a:b@c/d", "http://a:***@c/d"),
            ("http://a:b@c@d/e", "http://a:***@d/e"),
            ("http://a@c/d", "http://a@c/d"),
            ("http://c/d@e:f", "http://c/d@e:f"),
            ("/a/b", "/a/b"),
        ],
    )
    def test_passwords_are_not_shown(self, url: str, shown: str) -> None:
        assert without_password(url) == shown
        assert shown in str(TransferError(url, "x", "y"))


def test_a_join_app_gets_files_too(tmp_path: Path, web: Any) -> None:
    (web.directory / "x").write_text("joined")
    executor = ThreadPoolExecutor(working_dir=str(tmp_path / "w"))
    with parsl.load(Config(executors=[executor], run_dir=str(tmp_path / "runs"))) as kernel:
        inner = parsl.python_app(read)

        @parsl.join_app
        def outer(url: str) -> Any:
            return inner(File(url))

        assert outer(web.url("x")).result() == (str(tmp_path / "w" / "x"), "joined")
        assert kernel.task_count == 3
