"""Settings for managers: a private file, read as it was written, changed by flags."""

from __future__ import annotations

import shlex
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.curvezmq import CurveKeys
from parsl.executors.high_throughput.driver.launch_commands import DEFAULT_LAUNCH_CMD, launch_command
from parsl.executors.high_throughput.process_worker_pool import parse_arguments
from parsl.executors.high_throughput.wire.settings import (
    SETTINGS_FILE,
    ManagerSettings,
    from_line,
    read_settings,
    to_line,
    write_settings,
)

PLAIN = ManagerSettings(addresses=["10.0.0.1"], port=54321, log_dir="/logs")

#: Templates that users have copied from older documentation.
OLD_TEMPLATE = (
    "process_worker_pool.py {debug} {max_workers_per_node} -a {addresses} -p {prefetch_capacity} "
    "-c {cores_per_worker} -m {mem_per_worker} --poll {poll_period} --port={worker_port} "
    "--cert_dir {cert_dir} --logdir={logdir} --block_id={block_id} --hb_period={heartbeat_period} "
    "{address_probe_timeout_string} --hb_threshold={heartbeat_threshold} --drain_period={drain_period} "
    "--cpu-affinity {cpu_affinity} {enable_mpi_mode} --mpi-launcher={mpi_launcher} "
    "--available-accelerators {accelerators}"
)

settings_records = st.builds(
    ManagerSettings,
    addresses=st.lists(st.from_regex(r"[a-z0-9.:]{1,20}", fullmatch=True), min_size=1, max_size=3),
    port=st.integers(0, 65535),
    log_dir=st.just("/logs"),
    cert_dir=st.sampled_from(["", "/keys", "/my keys"]),
    debug=st.just(False),
    cores_per_worker=st.floats(0.1, 64),
    mem_per_worker_gb=st.none() | st.floats(0.1, 64),
    max_workers=st.none() | st.integers(1, 500),
    prefetch=st.integers(0, 9),
    heartbeat_period_s=st.floats(0.1, 100),
    heartbeat_threshold_s=st.floats(0.1, 100),
    drain_period_s=st.none() | st.floats(0.1, 100),
    cpu_affinity=st.sampled_from(["none", "block", "list:0-7,104-111:8-15"]),
    accelerators=st.lists(st.sampled_from(["0", "0.1", "0,1"]), max_size=3),
)


@given(settings_records, st.none() | st.builds(CurveKeys, *[st.binary(min_size=40, max_size=40)] * 3))
def test_settings_travel_in_a_line_that_no_shell_interprets(
    settings: ManagerSettings, keys: CurveKeys | None
) -> None:
    settings = msgspec.structs.replace(settings, keys=keys)
    line = to_line(settings)
    assert shlex.split(line, comments=True) == [line]
    assert from_line(line.encode() + b"\n") == settings


@pytest.mark.parametrize("line", [b"", b"certainly not", b"bm90IEpTT04="])
def test_another_line_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - base64 and msgspec word it
        from_line(line)


@pytest.mark.parametrize("template", [DEFAULT_LAUNCH_CMD, OLD_TEMPLATE.replace("{block_id}", "{{block_id}}")])
def test_a_command_for_nodes_without_the_files_of_the_driver_names_none(template: str) -> None:
    command = launch_command("executor", template, None, "3", PLAIN)
    program, line = command.split(" <<< ")
    assert from_line(line.encode()) == PLAIN
    words = shlex.split(program)
    assert words[0] == "process_worker_pool.py"
    assert not [word for word in words if "/" in word]
    assert parse_arguments(words[1:]).file == Path("-")
    assert parse_arguments(words[1:]).block == "3"


@given(settings_records)
def test_settings_are_read_as_they_were_written(settings: ManagerSettings) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / SETTINGS_FILE
        write_settings(file, settings)
        assert read_settings(file) == settings


def test_only_the_user_can_read_the_settings(tmp_path: Path) -> None:
    file = tmp_path / SETTINGS_FILE
    write_settings(file, PLAIN)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"addresses": 3, "port": 1}', b"\xff"])
def test_other_files_are_refused(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / SETTINGS_FILE
    file.write_bytes(text)
    with pytest.raises(ValueError):  # noqa: PT011 - msgspec words it
        read_settings(file)


def test_a_file_with_fields_of_a_later_version_is_read(tmp_path: Path) -> None:
    file = tmp_path / SETTINGS_FILE
    file.write_bytes(msgspec.json.encode({**msgspec.to_builtins(PLAIN), "news": 1}))
    assert read_settings(file) == PLAIN


class TestCommandLine:
    def test_our_command_names_file_and_block(self) -> None:
        words = shlex.split(launch_command("me", DEFAULT_LAUNCH_CMD, "/my logs/s.json", "3", PLAIN))
        at = words.index("--settings")
        command_line = parse_arguments(words[at:])
        assert (command_line.file, command_line.block) == (Path("/my logs/s.json"), "3")
        assert command_line.override(PLAIN) is PLAIN

    @given(settings_records)
    def test_older_templates_lead_to_the_same_settings(self, settings: ManagerSettings) -> None:
        command = launch_command("me", OLD_TEMPLATE, "/logs/x", "7", settings)
        command_line = parse_arguments(shlex.split(command)[1:])
        assert (command_line.file, command_line.block) == (Path("/logs") / SETTINGS_FILE, "7")
        start = ManagerSettings(addresses=[], port=1, log_dir="/logs", max_workers=settings.max_workers)
        assert command_line.override(start) == settings

    @pytest.mark.parametrize(
        ("flags", "changes"),
        [
            ("", {}),
            ("-d", {"debug": True}),
            ("--max_workers_per_node=3", {"max_workers": 3}),
            ("--max_workers_per_node inf", {"max_workers": None}),
            ("-m None", {"mem_per_worker_gb": None}),
            ("-m 2.5 -c 0.5", {"mem_per_worker_gb": 2.5, "cores_per_worker": 0.5}),
            ("-a a,b --port 3", {"addresses": ["a", "b"], "port": 3}),
            ("--cert_dir None", {"cert_dir": ""}),
            ("--available-accelerators 0 1", {"accelerators": ["0", "1"]}),
            ("--available-accelerators", {"accelerators": []}),
            ("--uid x -r y --result_port 3 --poll 10 --enable_mpi_mode --mpi-launcher=srun", {}),
        ],
    )
    def test_flags_override_the_file(self, flags: str, changes: dict[str, Any]) -> None:
        command_line = parse_arguments(["--logdir", "/logs", *flags.split()])
        assert command_line.override(PLAIN) == msgspec.structs.replace(PLAIN, **changes)
        assert command_line.block == "0"

    @pytest.mark.parametrize("arguments", [[], ["--nonsense"], ["--logdir", "/x", "--port", "many"]])
    def test_wrong_flags_end_with_the_usage(
        self, arguments: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as caught:
            parse_arguments(arguments)
        assert caught.value.code == 2
        assert "usage: process_worker_pool.py" in capsys.readouterr().err

    def test_wrong_values_are_value_errors(self) -> None:
        command_line = parse_arguments(["--logdir", "/x", "-m", "much"])
        with pytest.raises(ValueError, match="much"):
            command_line.override(PLAIN)
