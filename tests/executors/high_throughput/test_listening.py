"""Sockets for managers are bound at once, or the error says what is wrong."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from parsl.errors import ConfigurationError
from parsl.executors.high_throughput.listening import is_local_address, listen_tcp, listen_unix

LOOPBACK = "127.0.0.1"


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


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


def test_an_address_of_another_host_is_an_error_at_once() -> None:
    with pytest.raises(ConfigurationError, match=r"on 192\.0\.2\.1 cannot be used"):
        listen_tcp("me", "192.0.2.1", None, (50000, 60000))


def test_all_interfaces_by_default() -> None:
    with listen_tcp("me", "", None, (0, 1)) as sock:
        assert sock.getsockname()[0] == "0.0.0.0"


@pytest.mark.skipif(not has_ipv6(), reason="this host has no IPv6")
def test_ipv6_will_do() -> None:
    with listen_tcp("me", "::1", None, (0, 1)) as sock, socket.create_connection(("::1", port_of(sock))):
        pass


def test_a_unix_socket_is_bound_in_the_directory(tmp_path: Path) -> None:
    found = listen_unix(tmp_path)
    assert found is not None
    sock, path = found
    with sock, socket.socket(socket.AF_UNIX) as other:
        assert stat.S_ISSOCK(path.stat().st_mode)
        other.connect(str(path))


def test_a_path_too_long_for_a_unix_socket_means_none(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    assert listen_unix(deep) is None


def test_a_directory_that_is_not_there_means_none(tmp_path: Path) -> None:
    assert listen_unix(tmp_path / "nothing") is None


def test_the_addresses_of_this_host_are_known() -> None:
    assert is_local_address(LOOPBACK)
    assert not is_local_address("192.0.2.1")
