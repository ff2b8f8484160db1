"""Addresses of this host, and their form for ZeroMQ."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import psutil
import pytest

from parsl import addresses
from parsl.addresses import tcp_url


@pytest.mark.parametrize(
    ("address", "port", "url"),
    [
        ("192.0.2.1", 54001, "tcp://192.0.2.1:54001"),
        ("192.0.2.1", "54001", "tcp://192.0.2.1:54001"),
        ("192.0.2.1", None, "tcp://192.0.2.1"),
        ("*", "*", "tcp://*:*"),
        ("2001:db8::1", 54001, "tcp://[2001:db8::1]:54001"),
        ("[2001:db8::1]", 54001, "tcp://[2001:db8::1]:54001"),
        ("::1", None, "tcp://[::1]"),
        ("fe80::1%eth0", 5, "tcp://[fe80::1%eth0]:5"),
        ("localhost", 5, "tcp://localhost:5"),
        ("x4602c6s7b0n0.hsn.cm.aurora.alcf.anl.gov", 5, "tcp://x4602c6s7b0n0.hsn.cm.aurora.alcf.anl.gov:5"),
    ],
)
def test_tcp_url(address, port, url):
    assert tcp_url(address, port) == url


@pytest.mark.parametrize(
    "address", ["", "a b", "1.2.3.4.5", "256.0.0.1", "1.2.3", "-x", "a..b", "::g", "x/y", "é"]
)
def test_tcp_url_refuses_other_texts(address):
    with pytest.raises(ValueError, match="neither an IPv4 or IPv6 address"):
        tcp_url(address, 5)


def test_address_by_interface():
    assert addresses.address_by_interface("lo") == "127.0.0.1"


def test_address_by_interface_lists_the_existing_ones():
    with pytest.raises(OSError, match=r"No network interface 'nope0'.*lo \(127\.0\.0\.1"):
        addresses.address_by_interface("nope0")


def test_all_addresses_are_addresses_of_this_host():
    found = addresses.get_all_addresses()
    assert "127.0.0.1" in found
    for address in found:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.bind((address, 0))


def test_any_address_is_one_of_them():
    assert addresses.get_any_address() in addresses.get_all_addresses()


@pytest.fixture
def set_interfaces(monkeypatch):
    """Replace the network interfaces of this host: the addresses by name."""

    def set_interfaces(**by_name):
        interfaces = {
            name: [
                SimpleNamespace(family=socket.AF_INET6 if ":" in each else socket.AF_INET, address=each)
                for each in found
            ]
            for name, found in by_name.items()
        }
        monkeypatch.setattr(psutil, "net_if_addrs", lambda: interfaces)

    return set_interfaces


def test_a_reachable_address_is_preferred(monkeypatch, set_interfaces):
    def no_route() -> str:
        raise OSError("no route")

    monkeypatch.setattr(addresses, "address_by_route", no_route)
    monkeypatch.setattr(addresses, "address_by_hostname", lambda: "127.0.1.1")
    set_interfaces(lo=["127.0.0.1"], hsn0=["10.1.2.3"])
    assert addresses.get_any_address() == "10.1.2.3"


def test_ipv6_is_used_where_there_is_no_other_address(monkeypatch, set_interfaces):
    set_interfaces(lo=["127.0.0.1"], eth0=["2001:db8::1", "fe80::1%eth0"])
    monkeypatch.setattr(addresses, "address_by_route", lambda: "127.0.0.1")
    monkeypatch.setattr(addresses, "address_by_hostname", lambda: "127.0.0.1")
    assert addresses.get_all_addresses() == {"127.0.0.1", "2001:db8::1"}
    assert addresses.get_any_address() == "2001:db8::1"


def test_a_host_name_that_does_not_resolve(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "no-such-host.invalid")
    with pytest.raises(OSError, match=r"'no-such-host\.invalid', resolves to no IPv4 address"):
        addresses.address_by_hostname()
