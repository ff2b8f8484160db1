from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from parsl.data_provider import rsync
from parsl.data_provider.errors import TransferError
from parsl.data_provider.files import File
from parsl.data_provider.rsync import RSyncStaging
from parsl.validate import ParameterError
from tests.data_provider.apps import app, read, write

pytestmark = pytest.mark.skipif(shutil.which("rsync") is None, reason="there is no rsync on the PATH")


@pytest.fixture(autouse=True)
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for ssh that runs the command here; return the file with the requested hosts."""
    log, script = tmp_path / "hosts", tmp_path / "ssh"
    script.write_text(
        f"""#!/bin/sh
        [ "$1" = -l ] && shift 2
        echo "$1" >> {log}
        [ "$1" = down ] && exit 255
        shift
        exec sh -c "$*"
        """
    )
    script.chmod(0o755)
    monkeypatch.setenv("RSYNC_RSH", str(script))
    return log


@pytest.mark.parametrize("make", ["threads", "htex"])
def test_a_file_is_staged_in_and_another_one_is_staged_out(
    request: pytest.FixtureRequest, tmp_path: Path, working_dir: Path, shell: Path, make: str
) -> None:
    kernel = request.getfixturevalue(make)(storage_access=[RSyncStaging("submit")])
    source, target = tmp_path / "in 'put.txt", tmp_path / "not yet" / "out put.txt"
    source.write_text("there")
    assert app(kernel, read)(File(source)).result() == (str(working_dir / source.name), "there")
    written = app(kernel, write)("back", outputs=[File(target)])
    assert written.result() == [str(working_dir / "out put.txt")]
    assert written.outputs[0].result().filepath == str(target)
    assert target.read_text() == "back"
    assert app(kernel, read)(written.outputs[0]).result()[1] == "back"
    assert shell.read_text().split() == ["submit"] * 3


def test_relative_paths_are_relative_to_the_driver(
    threads: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a:b.txt").write_text("relative")
    kernel = threads(storage_access=[RSyncStaging("me@submit")])
    assert app(kernel, read)(File("./a:b.txt")).result()[1] == "relative"


def test_failures_are_errors_with_the_reason(threads: Any, tmp_path: Path) -> None:
    kernel = threads(storage_access=[RSyncStaging("submit")])
    with pytest.raises(TransferError, match=r"submit:/no/where .*exit code 23: .*No such file"):
        app(kernel, read)(File("/no/where")).result()
    kernel = threads(storage_access=[RSyncStaging("down")])
    with pytest.raises(TransferError, match=r"down:.*rsync ended with exit code"):
        app(kernel, read)(File("/no/where")).result()
    missing = app(kernel, lambda outputs: None)(outputs=[File(tmp_path / "x")])
    assert isinstance(missing.outputs[0].exception(), TransferError)


def test_a_node_without_rsync_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TransferError, match="rsync is not on the PATH"):
        rsync.rsync_from("host", "/x", str(tmp_path / "x"))


@pytest.mark.parametrize("hostname", ["", "-oProxyCommand=x", "host:path", None])
def test_a_wrong_host_is_refused(hostname: Any) -> None:
    with pytest.raises(ParameterError, match="RSyncStaging: hostname"):
        RSyncStaging(hostname)


def test_the_wrappers(tmp_path: Path) -> None:
    source, target = tmp_path / "x", File(tmp_path / "y")
    source.write_text("x")
    file = File(source)
    call = rsync.in_task_stage_in_wrapper(read, file, str(tmp_path / "w"), "host")
    assert call(file) == (str(tmp_path / "w" / "x"), "x")
    call = rsync.in_task_stage_out_wrapper(write, target, str(tmp_path / "w"), "host")
    call("z", outputs=[target])
    assert (tmp_path / "y").read_text() == "z"
    assert os.listdir(tmp_path / "w") in (["x", "y"], ["y", "x"])
