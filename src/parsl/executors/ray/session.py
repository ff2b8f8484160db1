"""Calls ``ray.init`` and ``ray.shutdown`` so that the process of the script stays as it is.

Ray replaces the handler of SIGTERM, prints what happens in the cluster, lets its servers listen on all
networks, and keeps a token in the home directory. A session undoes or prevents that.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from types import ModuleType
from typing import Any

from parsl.executors.engines.errors import EngineMismatch, EngineUnreachable
from parsl.executors.high_throughput.wire.spool import Spool, claim_directory, remove_orphans
from parsl.executors.ray.target import Target

#: How long a server at the address may take to accept a connection, in seconds.
PROBE_TIMEOUT_S = 10.0
#: What a server of gRPC answers at once: the preface of HTTP/2 and empty settings (RFC 9113, 3.4 and 6.5).
_HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
#: Sockets in this directory have short enough paths (107 bytes at most); that of TMPDIR may be too long.
SHORT_DIRECTORY = "/tmp"
DIRECTORY_PREFIX = "ray-"
LOOPBACK = "127.0.0.1"
#: What Ray's messages about other versions contain.
_MISMATCH = ("Version mismatch", "The cluster was started with", "versions do not match")


class Session:
    """What ``ray.init`` has started or connected to, until :meth:`close`.

    Args:
        owner: The executor, for messages.
        ray: The module.
        target: What to connect to.

    Raises:
        EngineUnreachable: Nothing answers, or the cluster cannot be started.
        EngineMismatch: The cluster runs other versions, or a cluster to start would require no token.
    """

    def __init__(self, owner: object, ray: ModuleType, target: Target) -> None:
        self._ray = ray
        self._variables: dict[str, str | None] = {}
        self._claimed: Spool | None = None
        #: Only this user can enter it. The cluster's sockets and logs are in it, if this session has started
        #: the cluster. The next start of this user's removes it if this process is killed.
        self.directory: str | None = None
        #: The file with the token that nodes need to join that cluster.
        self.token_file: str | None = None
        if target.endpoint is not None:
            _probe(owner, target, target.endpoint)
        if target.address is None:
            _require_tokens(owner, ray)
        try:
            self._open(target)
        except Exception as error:
            self.close()
            raise _opening_error(owner, target, error) from error

    def _open(self, target: Target) -> None:
        arguments: dict[str, Any] = {"address": target.address, "logging_level": logging.ERROR}
        variables = {"RAY_USAGE_STATS_ENABLED": "0"}
        is_loopback = _is_on_loopback_only(target)
        if target.address is None:
            parent = _directory_for_sockets()
            remove_orphans(parent, DIRECTORY_PREFIX)
            self._claimed = claim_directory(parent, DIRECTORY_PREFIX)
            self.directory = self._claimed.directory
            self.token_file = target.token_file or os.path.join(self.directory, "token")
            variables.update(_protection(self.token_file, is_loopback=is_loopback))
            arguments.update(_cluster_arguments(target, self.directory))
        self._set_variables(variables)
        _listen_on_loopback_only(is_loopback)
        _show_worker_logs(False)
        with _kept_signal_handler():
            self._ray.init(**{"log_to_driver": False, **arguments, **target.options})

    def _set_variables(self, variables: Mapping[str, str]) -> None:
        self._variables = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        _read_variables_again()

    def close(self) -> None:
        """Disconnect, and end what was started. May be called again."""
        with suppress(Exception):  # of a cluster that is gone
            self._ray.shutdown()
        _show_worker_logs(True)
        for name, value in self._variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if self._variables:
            _read_variables_again()
            self._variables = {}
        if self.token_file is not None:
            with suppress(OSError):
                os.unlink(self.token_file)
        if self._claimed is not None:
            self._claimed.remove()
            self._claimed = None


def _directory_for_sockets() -> str:
    return SHORT_DIRECTORY if os.access(SHORT_DIRECTORY, os.W_OK) else tempfile.gettempdir()


def _require_tokens(owner: object, ray: ModuleType) -> None:
    """Refuse a Ray that ignores the variables of :func:`_protection`: its cluster is open to other users."""
    if not hasattr(import_module("ray._raylet"), "AuthenticationTokenLoader"):
        version = getattr(ray, "__version__", "unknown")
        raise EngineMismatch(
            owner,
            f"Ray {version} cannot require a token, so other users could run code in a cluster that it "
            "starts. Install Ray 2.52 or later: pip install --upgrade 'parsl[ray]'",
        )


def _protection(token_file: str, *, is_loopback: bool) -> dict[str, str]:
    """Write a token that only this user can read, and return the variables that make Ray require it."""
    with open(os.open(token_file, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": token_file,
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0" if is_loopback else "1",
    }


def _cluster_arguments(target: Target, directory: str) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "address": "local",  # RAY_ADDRESS must not lead to another cluster
        "include_dashboard": False,
        "_node_ip_address": target.host or LOOPBACK,
        "_temp_dir": os.path.join(directory, "r"),  # Ray lets all users write there
    }
    if target.num_cpus is not None:
        arguments["num_cpus"] = target.num_cpus
    if target.num_gpus is not None:
        arguments["num_gpus"] = target.num_gpus
    if target.resources:
        arguments["resources"] = dict(target.resources)
    return arguments


def _is_on_loopback_only(target: Target) -> bool:
    """Return whether other hosts cannot reach the cluster.

    Ray replaces an address of loopback by another one of this host. If the cluster does not listen on that
    one, Ray waits for minutes; a setting of Ray's prevents the replacement.
    """
    if target.address is None:
        return target.host is None
    if target.is_client or target.endpoint is None:
        return False
    from parsl.addresses import get_all_addresses, is_loopback

    host, port = target.endpoint
    if host != "localhost" and not is_loopback(host):
        return False
    others = [address for address in get_all_addresses() if not is_loopback(address)]
    return not any(_answers((address, port)) for address in others)


def _answers(endpoint: tuple[str, int]) -> bool:
    try:
        socket.create_connection(endpoint, PROBE_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def _probe(owner: object, target: Target, endpoint: tuple[str, int]) -> None:
    try:
        with socket.create_connection(endpoint, PROBE_TIMEOUT_S) as connection:
            connection.settimeout(PROBE_TIMEOUT_S)
            connection.sendall(_HTTP2_GREETING)
            with suppress(ConnectionError):  # one with TLS, perhaps: Ray finds out
                connection.recv(1)
    except OSError as error:
        raise EngineUnreachable(
            owner,
            f"nothing answers at {target.address} ({error}). Check the address, and that the cluster runs: "
            "`ray status`",
        ) from error


def _opening_error(owner: object, target: Target, error: Exception) -> Exception:
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    if any(sign in reason for sign in _MISMATCH):
        return EngineMismatch(owner, f"{target} runs other versions than the driver. Ray reports: {reason}")
    if target.address is None:
        return EngineUnreachable(owner, f"Ray cannot be started on this machine: {reason}")
    advice = (
        "A driver on a machine that is not part of the cluster needs the address of a Ray Client server: "
        "ray://host:10001"
    )
    return EngineUnreachable(owner, f"{target} cannot be used: {reason}. {advice}")


@contextmanager
def _kept_signal_handler() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if handler is None else handler)


# Ray has no public way for the following three. A version without these names does without.


def _listen_on_loopback_only(is_loopback: bool) -> None:
    """Ray reads its variable once, when it is imported; a script may have imported it before."""
    constants = import_module("ray._private.ray_constants")
    if "ENABLE_RAY_CLUSTER" in vars(constants):
        vars(constants)["ENABLE_RAY_CLUSTER"] = not is_loopback


def _show_worker_logs(is_shown: bool) -> None:
    worker = import_module("ray._private.worker")
    if "_worker_logs_enabled" in vars(worker):
        vars(worker)["_worker_logs_enabled"] = is_shown


def _read_variables_again() -> None:
    with suppress(ImportError, AttributeError):
        raylet = import_module("ray._raylet")
        raylet.Config.initialize("")
        raylet.AuthenticationTokenLoader.instance().reset_cache()
