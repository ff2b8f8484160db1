"""Checks of this host and of the run as a whole: commands, addresses, numbers of blocks."""

from __future__ import annotations

import ipaddress
import shutil
import socket

from parsl.addresses import get_all_addresses
from parsl.cli.checkup.subject import Subject
from parsl.common.commands import CommandNotStarted, run_command
from parsl.errors import ConfigurationError
from parsl.executors.high_throughput.driver.endpoints import is_local_address, listen_tcp
from parsl.providers import PBSProProvider
from parsl.vocabulary.findings import ERROR, NOTE, WARNING, Finding, Topic

_SCHEDULER, _ADDRESS, _BLOCKS = Topic("scheduler"), Topic("address"), Topic("blocks")
_VERSION_TIMEOUT_S = 10
_LEAVE_OUT = "Leave it out: managers then try all addresses of this host."


def check_commands(subject: Subject) -> list[Finding]:
    """Check that the scheduler's commands are on the PATH."""
    if subject.batch is None:
        return []
    dialect = subject.batch.dialect
    commands = (
        dialect.submit_command("x"),
        dialect.status_queries[0].command(["1"]),
        dialect.cancel_command(["1"]),
    )
    names = list(dict.fromkeys(command[0] for command in commands))
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        are = "is" if len(missing) == 1 else "are"
        needs = f"{subject.provider_name} needs {', '.join(names)}"
        text = f"{', '.join(missing)} {are} not on the PATH here: {needs}."
        advice = (
            "Run on a login node of the machine, and load the scheduler's module if it has one. To try it "
            "without the scheduler: python -m parsl.testing.schedulers --help"
        )
        return [_SCHEDULER.error(text, advice)]
    found = _SCHEDULER.ok(f"{', '.join(names)} are on the PATH: {shutil.which(names[0])}")
    return [found, *_check_family(subject, names[0])]


def _check_family(subject: Subject, submit: str) -> list[Finding]:
    """Check that qsub is that of PBS: the commands of Grid Engine have the same names."""
    if not isinstance(subject.provider, PBSProProvider):
        return []
    try:
        result = run_command([submit, "--version"], _VERSION_TIMEOUT_S)
    except CommandNotStarted as error:
        return [_SCHEDULER.error(str(error))]
    if result.timed_out or "pbs_version" in result.stdout + result.stderr:
        return []
    path = shutil.which(submit)
    text = f"{path} does not look like that of PBS Pro: `{submit} --version` prints no pbs_version."
    return [_SCHEDULER.warning(text, "Other schedulers have commands with the same names: check the PATH.")]


def check_addresses(subject: Subject) -> list[Finding]:
    """Check that managers can reach this host: resolve the address, and bind a port like the executor."""
    if not subject.is_htex:
        return []
    if subject.executor._is_local():
        return [_ADDRESS.ok("all workers are on this host: nothing listens on a network")]
    address = subject.executor.address
    found = _check_own_addresses(subject) if address is None else _check_named(subject, address)
    return found if any(finding.level == ERROR for finding in found) else [*found, _check_port(subject)]


def _check_own_addresses(subject: Subject) -> list[Finding]:
    addresses = sorted(get_all_addresses())
    outside = [address for address in addresses if not address.startswith(("127.", "::1"))]
    if outside:
        found = _ADDRESS.ok(f"managers try all addresses of this host: {', '.join(outside)}")
        return [found, *_check_reach(subject, outside)]
    text = f"other nodes cannot reach this host: its only addresses are {', '.join(addresses) or 'none'}."
    return [_ADDRESS.finding(WARNING if subject.is_local else ERROR, text)]


def _check_named(subject: Subject, address: str) -> list[Finding]:
    try:
        resolved = str(socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError) as error:
        text = f"address is {address!r}, which this host cannot resolve ({error})."
        return [_ADDRESS.error(text, _LEAVE_OUT)]
    if resolved.startswith(("127.", "::1")) and not subject.is_local:
        text = f"address is {address!r}, that is {resolved}: on another node, this means that node itself."
        return [_ADDRESS.error(text, _LEAVE_OUT)]
    if not is_local_address(resolved):
        text = f"address is {address!r}, that is {resolved}, which is not an address of this host."
        advice = "That works only if connections are forwarded, or if the script runs on another host."
        return [_ADDRESS.warning(text, advice)]
    found = _ADDRESS.ok(f"{address} is an address of this host")
    return [found, *_check_reach(subject, [resolved])]


def _check_reach(subject: Subject, addresses: list[str]) -> list[Finding]:
    """Point out private addresses if nodes are not in this host's network, or need not be."""
    if getattr(subject.provider, "shares_files", True) or not all(map(_is_private, addresses)):
        return []
    text = f"the nodes have to reach {' or '.join(addresses)}: of this host's network only."
    advice = (
        "Run the script in the network of the nodes. Otherwise set address, and open the executor's port "
        "(worker_port) for them."
    )
    return [_ADDRESS.note(text, advice)]


def _is_private(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_private
    except ValueError:
        return False


def _check_port(subject: Subject) -> Finding:
    executor = subject.executor
    try:
        listener = listen_tcp(
            type(executor).__name__, "", executor.worker_port, executor.worker_port_range or (0, 1)
        )
    except ConfigurationError as error:
        return _ADDRESS.error(str(error))
    with listener:
        return _ADDRESS.ok(f"a port is free, for example {listener.getsockname()[1]}")


def check_blocks(subject: Subject) -> list[Finding]:
    """Check that the numbers of blocks, walltime and retries fit each other."""
    if subject.provider is None:
        return []
    return [*_check_block_counts(subject), *_check_time(subject), *_check_retries(subject)]


def _check_block_counts(subject: Subject) -> list[Finding]:
    provider = subject.provider
    maximum, first = getattr(provider, "max_blocks", 1), getattr(provider, "init_blocks", 1)
    strategy = subject.config.strategy
    if maximum == 0 and first == 0:
        return [_BLOCKS.error("max_blocks is 0: there would never be a node.")]
    if first == 0 and getattr(provider, "min_blocks", 0) == 0 and strategy in ("none", None):
        text = "init_blocks and min_blocks are 0, and strategy='none' adds no blocks: nothing would ever run."
        return [_BLOCKS.error(text, "Set init_blocks=1, or strategy='simple'.")]
    if first > maximum:
        text = f"init_blocks is {first}, above max_blocks={maximum}: {first} blocks start, and none is added."
        return [_BLOCKS.warning(text)]
    return []


def _check_time(subject: Subject) -> list[Finding]:
    batch = subject.batch
    drain_s = getattr(subject.executor, "drain_period", None)
    if batch is None or drain_s is None or drain_s < batch.walltime_s:
        return []
    text = (
        f"drain_period is {drain_s:g} s, walltime {batch.walltime_s} s: jobs end before they begin to drain."
    )
    return [_BLOCKS.warning(text)]


def _check_retries(subject: Subject) -> list[Finding]:
    if subject.batch is None or subject.config.retries:
        return []
    text = "retries is 0: a task fails if its job ends or its node is lost."
    level = NOTE if subject.config.retry_handler is not None else WARNING
    return [_BLOCKS.finding(level, text, "Set retries=1 in the Config.")]
