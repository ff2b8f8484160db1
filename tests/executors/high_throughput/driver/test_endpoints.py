"""Sockets for managers are bound immediately, or an error names the reason."""

from __future__ import annotations

import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from parsl.errors import ConfigurationError
from parsl.executors.high_throughput.driver.endpoints import is_local_address, listen_tcp, listen_unix

LOOPBACK = "127.0.0.1"


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory with a path that is short enough for a unix socket."""
    directory = Path(tempfile.mkdtemp(dir="/tmp"))
    yield directory
    shutil.rmtree(directory)


def has_ipv6() -> bool:
    return is_local_address("::1")


def test_a_given_port_is_bound() -> None:
    with listen_tcp("me", LOOPBACK, None, (0, 1)) as probe:
        port = port_of(probe)
    with listen_tcp("me", LOOPBACK, port, (0, 1)) as sock:
        assert port_of(sock) == port
        with socket.create_connection((LOOPBACK, port)):
            pass


def test_an_occupied_port_is_named() -> None:
    with listen_tcp("Executor 'x'", LOOPBACK, None, (0, 1)) as taken:
        port = port_of(taken)
        with pytest.raises(ConfigurationError) as caught:
            listen_tcp("Executor 'x'", LOOPBACK, port, (0, 1))
    assert f"Executor 'x': port {port} on 127.0.0.1 cannot be used: Address already in use" in str(
        caught.value
    )
    assert "Choose another worker_port," in str(caught.value)


def test_a_free_port_of_the_range_is_found() -> None:
    with listen_tcp("me", LOOPBACK, None, (0, 1)) as taken:
        low = port_of(taken)
        with listen_tcp("me", LOOPBACK, None, (low, low + 20)) as sock:
            assert low < port_of(sock) < low + 20


def test_an_exhausted_range_is_named() -> None:
    with listen_tcp("me", LOOPBACK, None, (0, 1)) as taken:
        port = port_of(taken)
        with pytest.raises(
            ConfigurationError, match=f"every port of the range {port}-{port} .*worker_port_range"
        ):
            listen_tcp("me", LOOPBACK, None, (port, port + 1))


def test_an_address_of_another_host_is_an_immediate_error() -> None:
    with pytest.raises(ConfigurationError, match=r"on 192\.0\.2\.1 cannot be used"):
        listen_tcp("me", "192.0.2.1", None, (50000, 60000))


def test_all_interfaces_by_default() -> None:
    with listen_tcp("me", "", None, (0, 1)) as sock:
        assert sock.getsockname()[0] == "0.0.0.0"


@pytest.mark.skipif(not has_ipv6(), reason="this host has no IPv6")
def test_ipv6_addresses_can_be_bound() -> None:
    with listen_tcp("me", "::1", None, (0, 1)) as sock, socket.create_connection(("::1", port_of(sock))):
        pass


def test_a_unix_socket_is_bound_in_the_directory(short: Path) -> None:
    found = listen_unix(short)
    assert found is not None
    assert found.path.parent == short
    assert found.made == ""
    with socket.socket(socket.AF_UNIX) as other:
        assert stat.S_ISSOCK(found.path.stat().st_mode)
        other.connect(str(found.path))
    found.close()
    assert list(short.iterdir()) == []


@pytest.mark.parametrize("name", ["d" * 100, "nothing"])
def test_a_unix_socket_gets_a_private_directory_if_necessary(short: Path, name: str) -> None:
    unfit = short / name
    if name != "nothing":
        unfit.mkdir()
    found = listen_unix(unfit)
    assert found is not None
    assert found.path.parent == Path(found.made)
    assert stat.S_IMODE(found.path.parent.stat().st_mode) == 0o700
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(str(found.path))
    found.close()
    assert not found.path.parent.exists()


def test_the_path_of_temporary_files_may_also_be_too_long(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = short / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    found = listen_unix(deep)
    assert found is not None
    assert found.made.startswith("/tmp/parsl-")
    found.close()
    assert not Path(found.made).exists()
    assert list(deep.iterdir()) == []


def test_there_is_no_unix_socket_if_no_directory_is_possible(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: str) -> str:
        raise OSError("no place")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    assert listen_unix(short / "nothing") is None


def test_addresses_of_this_host_are_recognized() -> None:
    assert is_local_address(LOOPBACK)
    assert not is_local_address("192.0.2.1")
