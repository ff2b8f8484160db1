"""Staging plug-ins written for upstream, which stage files by apps of their own on the internal executor."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from parsl import ThreadPoolExecutor, join_app, python_app
from parsl.config import Config
from parsl.data_provider.data_manager import DataManager, default_staging
from parsl.data_provider.files import File
from parsl.data_provider.stager import Stager
from parsl.data_provider.staging import Staging
from parsl.data_provider.zip import ZipFileStaging
from parsl.dataflow.dflow import DataFlowKernel
from tests.data_provider.apps import app, read, write

INTERNAL = "_parsl_internal"


class Remote(Staging):
    """Files named ``remote:/name``, kept in a directory. The first attempts to fetch one fail."""

    def __init__(self, directory: Path, failures: int = 0) -> None:
        self.directory, self.failures, self.attempts = directory, failures, 0

    def can_stage_in(self, file: File) -> bool:
        return file.scheme == "remote"

    can_stage_out = can_stage_in

    def stage_in(self, dm: Any, executor: str, file: File, parent_fut: Any) -> Any:
        working_dir = dm.dfk.executors[executor].working_dir or ""
        file.local_path = os.path.join(working_dir, file.filename)
        fetch = python_app(executors=[INTERNAL], data_flow_kernel=dm.dfk)(self.fetch)
        return fetch(parent_fut, outputs=[file], _parsl_staging_inhibit=True)._outputs[0]

    def stage_out(self, dm: Any, executor: str, file: File, app_fu: Any) -> Any:
        working_dir = dm.dfk.executors[executor].working_dir or ""
        file.local_path = os.path.join(working_dir, file.filename)
        store = python_app(executors=[INTERNAL], data_flow_kernel=dm.dfk)(self.store)
        return store(app_fu, inputs=[file], _parsl_staging_inhibit=True)

    def fetch(self, parent_fut: Any = None, outputs: Any = (), _parsl_staging_inhibit: bool = True) -> None:
        self.attempts += 1
        if self.attempts <= self.failures:
            raise OSError(f"attempt {self.attempts} has failed")
        text = (self.directory / outputs[0].filename).read_text()
        os.makedirs(os.path.dirname(outputs[0]), exist_ok=True)
        part = Path(f"{outputs[0].filepath}.{threading.get_ident()}")
        part.write_text(text)
        part.replace(outputs[0])  # another task may read the file

    def store(self, app_fu: Any = None, inputs: Any = (), _parsl_staging_inhibit: bool = True) -> None:
        (self.directory / inputs[0].filename).write_text(Path(inputs[0]).read_text())


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    directory = tmp_path / "shelf"
    directory.mkdir()
    (directory / "x").write_text("text")
    return directory


# Two tasks have the same file without a warning: a plug-in writes it.
@pytest.mark.filterwarnings("error::parsl.dataflow.tasks.declared_outputs.SharedOutputWarning")
def test_files_are_staged_in_and_out_by_internal_apps(threads: Any, shelf: Path, working_dir: Path) -> None:
    kernel = threads(storage_access=[Remote(shelf)])
    readers = [app(kernel, read)(File("remote:/x")) for _ in range(2)]
    assert [reader.result() for reader in readers] == [(str(working_dir / "x"), "text")] * 2
    written = app(kernel, write)("new", outputs=[File("remote:/y")])
    assert app(kernel, read)(written.outputs[0]).result() == (str(working_dir / "y"), "new")
    assert (shelf / "y").read_text() == "new"


def test_a_failed_stage_in_is_tried_again(threads: Any, shelf: Path) -> None:
    remote = Remote(shelf, failures=2)
    kernel = threads(storage_access=[remote], retries=2)
    assert app(kernel, read)(File("remote:/x")).result()[1] == "text"
    assert remote.attempts == 3


def test_without_retries_the_failure_of_a_stage_in_is_the_root_cause(threads: Any, shelf: Path) -> None:
    kernel = threads(storage_access=[Remote(shelf, failures=1)])
    error = app(kernel, read)(File("remote:/x")).exception()
    assert "attempt 1 has failed" in str(error)


class TestInternalExecutor:
    def test_the_kernel_shows_it_once_it_exists(self, threads: Any) -> None:
        kernel = threads()
        assert list(kernel.executors) == ["threads"]
        assert INTERNAL not in kernel.executors
        assert kernel.executors.get(INTERNAL) is None
        assert join_app(list, data_flow_kernel=kernel)().result() == []
        assert list(kernel.executors) == ["threads", INTERNAL]

    def test_a_request_for_it_creates_it(self, threads: Any) -> None:
        kernel = threads()
        internal = kernel.executors[INTERNAL]
        assert (type(internal), internal.label) == (ThreadPoolExecutor, INTERNAL)
        assert internal.submit(sum, {}, [1, 2]).result() == 3
        assert kernel.executors[INTERNAL] is internal
        with pytest.raises(KeyError, match="other"):
            kernel.executors["other"]

    def test_all_does_not_include_it(self, threads: Any) -> None:
        kernel = threads()
        internal = kernel.executors[INTERNAL]
        for number in range(20):
            python_app(str, data_flow_kernel=kernel)(number).result()
        assert internal.submit(os.getpid, {}).result() == os.getpid()
        assert kernel.tasks == {}

    def test_an_app_may_choose_it_next_to_others(self, threads: Any) -> None:
        kernel = threads()
        add = python_app(sum, executors=[INTERNAL, "threads"], data_flow_kernel=kernel)
        assert [add([number, 1]).result() for number in range(20)] == [*range(1, 21)]

    def test_there_is_none_after_the_end_of_the_run(self, tmp_path: Path) -> None:
        with DataFlowKernel(Config(run_dir=str(tmp_path))) as kernel:
            pass
        with pytest.raises(KeyError, match=INTERNAL):
            kernel.executors[INTERNAL]


class TestDefaultStaging:
    def test_it_can_be_extended_by_a_plugin(self, threads: Any, shelf: Path, tmp_path: Path) -> None:
        kernel = threads(storage_access=[*default_staging, Remote(shelf)])
        (tmp_path / "here").write_text("here")
        assert app(kernel, read)(File("remote:/x")).result()[1] == "text"
        assert app(kernel, read)(File(tmp_path / "here")).result()[1] == "here"

    def test_it_is_the_list_that_executors_without_storage_access_use(self, threads: Any) -> None:
        assert type(default_staging) is list
        assert Stager(DataManager(threads())).providers("threads") is default_staging
        assert [type(each) for each in default_staging][-1] is ZipFileStaging
