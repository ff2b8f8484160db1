from __future__ import annotations

import json
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from parsl.config import Config
from parsl.dataflow.dflow import DataFlowKernel
from parsl.errors import ConfigurationError
from parsl.executors import ThreadPoolExecutor
from parsl.usage_tracking import usage
from parsl.usage_tracking.api import UsageInformation, get_parsl_usage
from parsl.utils import RepresentationMixin
from tests.dataflow.fakes import add, call, fail

if TYPE_CHECKING:
    from pathlib import Path


def run(tmp_path: Path, level: Any, **options: Any) -> list[dict[str, Any]]:
    """Run two tasks, one of which fails; return the written messages."""
    with DataFlowKernel(Config(run_dir=str(tmp_path), usage_tracking=level, **options)) as kernel:
        call(kernel, add, 1).result()
        call(kernel, fail).exception()
    files = list(tmp_path.glob("*/usage.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were looked up or sent to."""
    contacted: list[str] = []

    class RecordingSocket(socket.socket):
        def sendto(self, *args: Any) -> int:
            contacted.append(args[-1])
            return len(args[0])

    monkeypatch.delenv(usage.ADDRESS_VARIABLE, raising=False)
    monkeypatch.setattr(socket, "socket", RecordingSocket)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **_: contacted.append(args[0]) or [])
    return contacted


def test_no_data_is_collected_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(usage.ADDRESS_VARIABLE, "127.0.0.1:9")
    monkeypatch.delitem(sys.modules, "parsl.usage_tracking.usage")
    assert Config().usage_tracking == 0
    assert run(tmp_path, 0) == []
    assert "parsl.usage_tracking.usage" not in sys.modules


@pytest.mark.parametrize("level", [1, 2, 3])
def test_each_level_writes_its_data_and_sends_nothing_without_an_address(
    tmp_path: Path, no_network: list[str], level: int
) -> None:
    start, end = run(tmp_path, level, project_name="test")
    assert (start["event"], end["event"], start["correlator"]) == ("start", "end", end["correlator"])
    assert (start["level"], start["project"]) == (level, "test")
    assert ("components" in start) == (level >= 2)
    assert (end.get("tasks"), end.get("failed")) == ((2, 1) if level == 3 else (None, None))
    written = json.dumps([start, end])
    assert str(tmp_path) not in written
    assert socket.gethostname() not in written
    assert no_network == []


def test_data_is_sent_to_the_users_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(30)
        monkeypatch.setenv(usage.ADDRESS_VARIABLE, f"127.0.0.1:{receiver.getsockname()[1]}")
        written = run(tmp_path, 3)
        received = [json.loads(receiver.recv(10_000)) for _ in range(2)]
    assert sorted(received, key=lambda message: message["time_s"]) == written


@pytest.mark.parametrize("address", ["nowhere", "no.such.host.invalid:1", ":", "127.0.0.1:99999999"])
def test_errors_do_not_disturb_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv(usage.ADDRESS_VARIABLE, address)
    monkeypatch.setattr(usage, "SEND_TIMEOUT_S", 0.05)
    monkeypatch.setattr(threading, "excepthook", lambda problem: pytest.fail(str(problem)))
    assert len(run(tmp_path, 1)) == 2


def test_the_parts_of_a_configuration() -> None:
    class Own(RepresentationMixin, UsageInformation):
        def __init__(self, parts: Any) -> None:
            self.parts = parts

        def get_usage_information(self) -> dict[str, Any]:
            return {"n": len(self.parts)}

    threads = "parsl.executors.threads.ThreadPoolExecutor"
    assert get_parsl_usage(Config()) == [
        {"c": "parsl.config.Config", "executors_len": 1, "dependency_resolver": False},
        threads,
    ]
    assert get_parsl_usage([3, ThreadPoolExecutor(), "x"]) == [threads]
    assert get_parsl_usage(Own([ThreadPoolExecutor()])) == [{"c": "(not of Parsl)", "n": 1}, threads]
    assert UsageInformation().get_usage_information() == {}


def test_older_spellings_and_wrong_levels() -> None:
    assert [Config(usage_tracking=value).usage_tracking for value in (True, False)] == [1, 0]
    with pytest.raises(ConfigurationError, match=r"usage_tracking is 4 .*from 0 to 3"):
        Config().validate_usage_tracking(4)
