"""Find the addresses at which other hosts can reach this one."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

#: The service of :func:`address_by_query`, which is the only function here that uses the network.
_QUERY_URL = "https://api.ipify.org"

#: Any outside address works: no packet is sent, the system only looks up the route.
_OUTSIDE_IPV4 = ("8.8.8.8", 53)


def address_by_hostname() -> str:
    """Return the address that this host's name resolves to.

    Raises:
        OSError: The name does not resolve.
    """
    name = socket.gethostname()
    try:
        return socket.gethostbyname(name)
    except OSError as error:
        message = f"This host's name, {name!r}, resolves to no IPv4 address: {error}"
        raise OSError(error.errno, message) from error


def address_by_route() -> str:
    """Return the address of this host's default route.

    Raises:
        OSError: There is no route to the outside.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_OUTSIDE_IPV4)
        except OSError as error:
            raise OSError(error.errno, f"This host has no route to the outside: {error}") from error
        address: str = probe.getsockname()[0]
    return address


def address_by_interface(ifname: str) -> str:
    """Return the IPv4 address of a network interface.

    Args:
        ifname: The interface, such as ``"hsn0"`` or ``"eth0"``.

    Raises:
        OSError: No interface of this name has an IPv4 address; the message lists those that do.
    """
    by_interface = _addresses_by_interface(socket.AF_INET)
    if ifname in by_interface:
        return by_interface[ifname][0]
    known = ", ".join(f"{name} ({', '.join(found)})" for name, found in sorted(by_interface.items()))
    message = f"No network interface {ifname!r} with an IPv4 address; there are: {known or 'none'}"
    raise OSError(errno.ENODEV, message)


def address_by_query(timeout: float = 30) -> str:
    """Return this host's public address, as seen by a service on the internet.

    Args:
        timeout: How long to wait for the answer, in seconds.

    Raises:
        OSError: The service does not answer.
        ValueError: The answer is not an address.
    """
    from urllib.request import urlopen

    with urlopen(_QUERY_URL, timeout=timeout) as response:
        answer = response.read(200).decode("ascii", errors="replace").strip()
    if not _is_ipv4(answer) and not _is_ipv6(answer):
        raise ValueError(f"{_QUERY_URL} did not answer with an address, but with {answer!r}.")
    return str(answer)


def get_all_addresses() -> set[str]:
    """Return every address at which other processes might reach this host, including the loopback ones.

    No other host is contacted, and a source that fails is skipped. IPv6 addresses are included only if the
    host has no IPv4 address except the loopback one.
    """
    addresses = {address for found in _addresses_by_interface(socket.AF_INET).values() for address in found}
    for source in (address_by_hostname, address_by_route):
        addresses.update(_tried(source))
    if all(map(is_loopback, addresses)):
        for found in _addresses_by_interface(socket.AF_INET6).values():
            # Addresses with this prefix are valid on one link only.
            addresses.update(address for address in found if not address.lower().startswith("fe80"))
    return addresses


def get_any_address() -> str:
    """Return the address that is most likely to work: that of the default route, if there is one.

    Raises:
        OSError: This host has no address.
    """
    candidates = [*_tried(address_by_route), *_tried(address_by_hostname), *sorted(get_all_addresses())]
    if candidates:
        return min(candidates, key=is_loopback)  # the first of the others, if there is one
    raise OSError("This host has no network address; give the executor one with its address parameter.")


def tcp_url(address: str, port: str | int | None = None) -> str:
    """Return an address in the form that ZeroMQ requires.

    Args:
        address: An IPv4 or IPv6 address, a host name, or ``"*"`` for all interfaces.
        port: A port, ``"*"`` for any, or None to omit it.

    Returns:
        A URL such as ``tcp://192.0.2.1:54001`` or ``tcp://[2001:db8::1]:54001``.

    Raises:
        ValueError: ``address`` is none of these.
    """
    bare = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    if _is_ipv6(bare):
        host = f"[{bare}]"
    elif bare == "*" or _is_ipv4(bare) or _is_host_name(bare):
        host = bare
    else:
        raise ValueError(f"{address!r} is neither an IPv4 or IPv6 address, nor a host name, nor '*'.")
    return f"tcp://{host}" if port is None else f"tcp://{host}:{port}"


def _addresses_by_interface(family: int) -> dict[str, list[str]]:
    import psutil

    found = {
        name: [entry.address for entry in entries if entry.family == family]
        for name, entries in psutil.net_if_addrs().items()
    }
    return {name: addresses for name, addresses in found.items() if addresses}


def _tried(source: Callable[[], str]) -> list[str]:
    try:
        return [source()]
    except OSError as error:
        import logging

        logging.getLogger(__name__).debug("No address by %s: %s", source.__name__, error)
        return []


def is_loopback(address: str) -> bool:
    """Return whether only processes of this host reach an address."""
    return address.startswith("127.") or address == "::1"


def _is_ipv4(text: str) -> bool:
    return text.count(".") == 3 and _parses(socket.AF_INET, text)


def _is_ipv6(text: str) -> bool:
    return ":" in text and _parses(socket.AF_INET6, text.partition("%")[0])


def _parses(family: int, text: str) -> bool:
    try:
        socket.inet_pton(family, text)
    except (OSError, ValueError):
        return False
    return True


def _is_host_name(text: str) -> bool:
    import re

    labels = text.removesuffix(".").split(".")
    is_label = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)").fullmatch
    return len(text) <= 253 and not labels[-1].isdigit() and all(map(is_label, labels))
