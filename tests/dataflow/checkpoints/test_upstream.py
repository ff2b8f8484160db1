from __future__ import annotations

import base64
import io
import pickle
import sys
import types
from typing import Any

import pytest

from parsl.dataflow.checkpoints.loaded import UpstreamScan, read_upstream_record
from parsl.dataflow.errors import BadCheckpoint
from parsl.dataflow.memoization import BasicMemoizer
from tests.dataflow.fakes import PromptExecutor, kernel

#: Written by upstream Parsl 2026.10.26, for calls of the functions of the module below.
CHECKPOINT = base64.b64decode(
    "gASVRwAAAAAAAAB9lCiMBGhhc2iUjCBjZmY0NDEwNGNmNDRmNTlkMGExZjIwNDBiYTBjMWJjZJSMCWV4Y2VwdGlvbpROjAZyZXN1bHSU"
    "SwJ1LoAElUoAAAAAAAAAfZQojARoYXNolIwgZTYyM2Q2ZmE1ZGU3MWUzNjcxYjBmODdiNTE4NzljODeUjAlleGNlcHRpb26UTowGcmVz"
    "dWx0lIwCYWGUdS6ABJVHAAAAAAAAAH2UKIwEaGFzaJSMIGNmZjQ0MTA0Y2Y0NGY1OWQwYTFmMjA0MGJhMGMxYmNklIwJZXhjZXB0aW9u"
    "lE6MBnJlc3VsdJRLAnUugASVRwAAAAAAAAB9lCiMBGhhc2iUjCAwNzg3NjkxOTlkYzE4OWZmNjczNDJkZGEzMjI3MDE3MJSMCWV4Y2Vw"
    "dGlvbpROjAZyZXN1bHSUSwB1LoAElWcAAAAAAAAAfZQojARoYXNolIwgYjViYjMzZWYyZDBhMDlmOWZkYzczNDI2YjBmODhiOTOUjAll"
    "eGNlcHRpb26UTowGcmVzdWx0lIwIY2FtcGFpZ26UjAVUaGluZ5STlCmBlH2UjAFulEsHc2J1LoAElUcAAAAAAAAAfZQojARoYXNolIwg"
    "MjE1YjQxMTJkZWQxM2NlNzk3NmU3Y2Y5YWI0ZTQ4MTmUjAlleGNlcHRpb26UTowGcmVzdWx0lEsEdS4="
)

MODULE = """
def double(x, y=3): return x * 2
def command(x, stdout=None, outputs=()): return f"echo {x}"
class Thing:
    def __init__(self, n): self.n = n
def make(n): return Thing(n)
"""


@pytest.fixture
def campaign(monkeypatch: pytest.MonkeyPatch) -> Any:
    module = types.ModuleType("campaign")
    exec(MODULE, module.__dict__)
    monkeypatch.setitem(sys.modules, "campaign", module)
    return module


@pytest.fixture
def checkpoint(tmp_path: Any) -> Any:
    directory = tmp_path / "old" / "000" / "checkpoint"
    directory.mkdir(parents=True)
    (directory / "tasks.pkl").write_bytes(CHECKPOINT)
    return directory


@pytest.mark.parametrize("identity", ["code", "name"])
def test_results_of_upstream_are_reused(tmp_path: Any, campaign: Any, checkpoint: Any, identity: Any) -> None:
    from parsl import bash_app, python_app

    executor = PromptExecutor()
    memoizer = BasicMemoizer(checkpoint_files=[checkpoint], function_identity=identity)
    with kernel(tmp_path, executor, memoizer=memoizer) as dfk:
        double = python_app(campaign.double, dfk, cache=True)
        command = bash_app(campaign.command, dfk, cache=True)
        make = python_app(campaign.make, dfk, cache=True)
        futures = [double(1), double("a", y=[1, (2, {"k": None})]), command("hi"), make(7), double(double(1))]
        assert [future.task_status() for future in futures] == ["memo_done"] * 5
        assert [future.result() for future in futures[:3]] == [2, "aa", 0]
        assert (futures[3].result().n, futures[4].result()) == (7, 4)
        assert executor.calls == 0
        assert double(5).result() == 10
        assert executor.calls == 1


def test_files_of_upstream_are_found_in_the_run_directory_and_copied_into_ours(
    tmp_path: Any, campaign: Any
) -> None:
    from parsl import python_app

    directory = tmp_path / "runs" / "000" / "checkpoint"
    directory.mkdir(parents=True)
    (directory / "tasks.pkl").write_bytes(CHECKPOINT)
    for _ in range(2):
        executor = PromptExecutor()
        with kernel(tmp_path, executor, memoizer=BasicMemoizer(checkpoint_mode="task_exit")) as dfk:
            assert python_app(campaign.double, dfk, cache=True)(1).task_status() == "memo_done"
        assert executor.calls == 0
        (directory / "tasks.pkl").unlink(missing_ok=True)


def test_a_missing_class_makes_the_task_run_again(
    tmp_path: Any, campaign: Any, checkpoint: Any, caplog: pytest.LogCaptureFixture
) -> None:
    executor = PromptExecutor()
    with kernel(tmp_path, executor, memoizer=BasicMemoizer(checkpoint_files=[str(checkpoint)])) as dfk:
        make, campaign.Thing = campaign.make, None
        campaign.make.__globals__["Thing"] = str
        assert dfk.submit(make, (7,), "all", True, None, {}).result() == "7"
    assert executor.calls == 1
    assert "cannot be read, so the task runs again" in caplog.text


def test_whole_records_are_found_wherever_the_file_ends() -> None:
    def found(data: bytes) -> tuple[int, int]:
        scan = UpstreamScan(io.BytesIO(data))
        return len(list(scan)), scan.damaged_bytes

    assert found(CHECKPOINT) == (6, 0)
    ends, stream = [0], io.BytesIO(CHECKPOINT)
    for _ in range(4):
        stream.seek(ends[-1])
        pickle.Unpickler(stream)
        ends.append(CHECKPOINT.find(b"\x80\x04\x95", ends[-1] + 1))
    for length in range(ends[-1]):
        whole = [end for end in ends if end <= length]
        assert found(CHECKPOINT[:length]) == (len(whole) - 1, length - whole[-1])


def test_inspecting_a_file_calls_and_imports_nothing() -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return exec, ("raise SystemExit('called')",)

    record = pickle.dumps({"hash": "0" * 32, "exception": None, "result": [Trap(), {"a": {Trap()}}]})
    ((key, position),) = UpstreamScan(io.BytesIO(record + record[:10]))
    assert (key, position) == (bytes(16), 0)
    with pytest.raises(SystemExit):
        read_upstream_record(io.BytesIO(record), 0)


@pytest.mark.parametrize(
    "content",
    [
        b"hello world",
        b"\x89PNG\r\n",
        pickle.dumps([1, 2]),
        pickle.dumps({"a": 1}),
        pickle.dumps({"hash": "x", "exception": None, "result": 1}),
        pickle.dumps({"hash": "00", "exception": None, "result": 1}),
        pickle.dumps({"hash": "0" * 32, "exception": ValueError(), "result": None}),
    ],
)
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(BadCheckpoint, match="not a checkpoint file"):
        list(UpstreamScan(io.BytesIO(content)))
