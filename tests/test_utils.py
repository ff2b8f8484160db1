"""The helpers that upstream scripts import from parsl.utils."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from pathlib import Path

import pytest

from parsl import utils
from parsl.utils import AtomicIDCounter, AutoCancelTimer, Timer
from parsl.validate import ParameterError, ParameterTypeError, ParameterValueError


def test_ids_are_unique_across_threads():
    counter = AtomicIDCounter()
    ids: list[int] = []
    threads = [
        threading.Thread(target=lambda: ids.extend([counter.get_id() for _ in range(1000)])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ids) == list(range(8000))


def test_auto_cancel_timer_is_cancelled_at_the_end_of_the_block():
    calls: list[int] = []
    with AutoCancelTimer(3600, lambda: calls.append(1)) as timer:
        assert timer.is_alive()
    timer.join(5)
    assert not timer.is_alive()
    assert calls == []


def test_auto_cancel_timer_fires_in_time():
    fired = threading.Event()
    with AutoCancelTimer(0.001, fired.set):
        assert fired.wait(60)


def test_timer_calls_again_after_a_failure_until_it_is_closed(wait_until, caplog):
    calls: list[str] = []

    def callback(name):
        calls.append(name)
        raise RuntimeError("first one fails")

    timer = Timer(callback, "x", interval=0.001, name="ticker")
    wait_until(lambda: len(calls) >= 3)
    timer.close(timeout=60)
    called = len(calls)
    assert re.fullmatch(rf"<Timer ticker: closed, {called} calls>", repr(timer))
    assert calls == ["x"] * called
    assert "first one fails" in caplog.text
    assert not [thread for thread in threading.enumerate() if thread.name == "ticker"]


def test_timer_may_be_closed_by_its_own_callback(wait_until):
    timers: list[Timer] = []
    timers.append(Timer(lambda: timers[0].close(), interval=0.001, name="closes-itself"))
    wait_until(lambda: not [thread for thread in threading.enumerate() if thread.name == "closes-itself"])


def test_timer_refuses_an_interval_that_never_passes():
    with pytest.raises(ParameterError, match="Timer: interval is 0"):
        Timer(print, interval=0)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("out", ("out", "a+")),
        (Path("d/out"), ("d/out", "a+")),
        (("out", "w"), ("out", "w")),
        ((Path("out"), "wb"), ("out", "wb")),
    ],
)
def test_stdout_specification(given, expected):
    assert utils.get_std_fname_mode("stdout", given) == expected


@pytest.mark.parametrize("given", [5, None, ("out",), ("out", "w", 3), (5, "w"), ("out", 5), [], b"out"])
def test_stdout_specification_of_a_wrong_type(given):
    with pytest.raises(ParameterTypeError, match=r"app: stderr is .*; expected a path, or a pair"):
        utils.get_std_fname_mode("stderr", given)


@pytest.mark.parametrize("given", ["", "a\0b", ("out", "r"), ("out", "banana")])
def test_stdout_specification_of_a_wrong_value(given):
    with pytest.raises(ParameterValueError, match="app: stdout is"):
        utils.get_std_fname_mode("stdout", given)


@pytest.mark.parametrize(
    ("walltime", "minutes"),
    [
        ("00:20:00", 20),
        ("1:02:03", 62),
        ("100:00:00", 6000),
        ("1-00:00:00", 1440),
        (" 00:30:00 ", 30),
        ("00:00:30", 1),
        ("00:00:00", 0),
    ],
)
def test_walltime_in_minutes(walltime, minutes):
    assert utils.wtime_to_minutes(walltime) == minutes


@pytest.mark.parametrize(
    "walltime", ["", "30", "01:00", "1:2:3:4", "a:b:c", "-1:00:00", "1-2-3:0:0", "0x1:00:00"]
)
def test_walltime_of_another_form(walltime):
    with pytest.raises(ParameterValueError, match="HH:MM:SS"):
        utils.wtime_to_minutes(walltime)


def test_execute_wait():
    assert utils.execute_wait("echo out; echo err >&2; exit 3") == (3, "out\n", "err\n")


def test_execute_wait_provides_no_input():
    assert utils.execute_wait("cat") == (0, "", "")


def test_execute_wait_kills_a_slow_command_and_its_children(tmp_path, wait_until):
    started_s = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        utils.execute_wait(f"sleep 1000 & echo $! > {tmp_path}/pid; wait", walltime=1)
    assert time.monotonic() - started_s < 30
    wait_until(lambda: not _runs(int((tmp_path / "pid").read_text())), what="the end of the child")


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("raw", "label", "subdomain"),
    [
        ("Foo_bar", "foo-bar", "foo-bar"),
        ("-x-", "x", "x"),
        ("1a.b_c", "1a-b-c", "1a.b-c"),
        ("A..B", "a-b", "a.b"),
        ("a" * 80, "a" * 63, "a" * 63),
    ],
)
def test_dns_names(raw, label, subdomain):
    assert utils.sanitize_dns_label_rfc1123(raw) == label
    assert utils.sanitize_dns_subdomain_rfc1123(raw) == subdomain


def test_dns_subdomain_is_not_too_long():
    name = utils.sanitize_dns_subdomain_rfc1123(".".join(["a" * 62] * 10))
    assert len(name) <= 253
    assert name[-1] == "a"


@pytest.mark.parametrize("raw", ["", "..", "-", "é"])
def test_dns_names_of_nothing(raw):
    for sanitize in (utils.sanitize_dns_label_rfc1123, utils.sanitize_dns_subdomain_rfc1123):
        with pytest.raises(ValueError, match="Nothing in"):
            sanitize(raw)


def test_wait_for_file_enters_when_the_file_is_there(tmp_path):
    (tmp_path / "file").write_text("x")
    with utils.wait_for_file(str(tmp_path / "file"), seconds=60):
        pass
    with utils.time_limited_open(str(tmp_path / "file"), "r", seconds=60) as stream:
        assert stream.read() == "x"


def test_time_limited_open_of_a_file_that_never_comes(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match="never"),
        utils.time_limited_open(str(tmp_path / "never"), "r", seconds=0),
    ):
        pass


def test_version_is_a_calendar_date():
    assert re.fullmatch(r"\d{4}\.\d{2}\.\d{2}", utils.get_version())
