"""Whether managers can reach this host: names, addresses, ports."""

from __future__ import annotations

import socket

from parsl.cli.checkup.finding import ERROR, OK, WARNING, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.cli.checkup.subject import Subject

_TOPIC = "address"


def check_addresses(subject: Subject) -> list[Finding]:
    """Resolve the address, and bind a port as the executor would."""
    if not subject.is_htex:
        return []
    if subject.executor._is_local():
        return [Finding(OK, _TOPIC, "workers are on this host only: nothing listens on a network")]
    address = subject.executor.address
    found = _check_own_addresses(subject) if address is None else _check_named(subject, address)
    return found if any(finding.level == ERROR for finding in found) else [*found, _check_port(subject)]


def _check_own_addresses(subject: Subject) -> list[Finding]:
    from parsl.addresses import get_all_addresses

    addresses = sorted(get_all_addresses())
    outside = [address for address in addresses if not address.startswith(("127.", "::1"))]
    if outside:
        return [Finding(OK, _TOPIC, f"managers try all of this host's at once: {', '.join(outside)}")]
    text = (
        f"this host has no network address but {', '.join(addresses) or 'none'}: no other node can reach it."
    )
    return [Finding(WARNING if subject.is_local else ERROR, _TOPIC, text)]


def _check_named(subject: Subject, address: str) -> list[Finding]:
    from parsl.executors.high_throughput.driver.endpoints import is_local_address

    try:
        resolved = str(socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError) as error:
        text = f"address is {address!r}, which this host cannot resolve ({error})."
        return [Finding(ERROR, _TOPIC, text, "Leave it out: managers then try all addresses of this host.")]
    if resolved.startswith(("127.", "::1")) and not subject.is_local:
        text = f"address is {address!r}, that is {resolved}: on another node this leads to that node itself."
        return [Finding(ERROR, _TOPIC, text, "Leave it out: managers then try all addresses of this host.")]
    if not is_local_address(resolved):
        text = f"address is {address!r}, that is {resolved}, which is no address of this host."
        advice = "That is right only if something passes connections on, or the script runs elsewhere."
        return [Finding(WARNING, _TOPIC, text, advice)]
    return [Finding(OK, _TOPIC, f"{address} is this host's")]


def _check_port(subject: Subject) -> Finding:
    from parsl.errors import ConfigurationError
    from parsl.executors.high_throughput.driver.endpoints import listen_tcp

    executor = subject.executor
    try:
        listener = listen_tcp(
            type(executor).__name__, "", executor.worker_port, executor.worker_port_range or (0, 1)
        )
    except ConfigurationError as error:
        return Finding(ERROR, _TOPIC, str(error))
    with listener:
        return Finding(OK, _TOPIC, f"a port is free: {listener.getsockname()[1]}, for example")
