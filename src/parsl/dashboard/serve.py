"""Serves the dashboard on loopback until it is interrupted."""

from __future__ import annotations

import errno
import os
import secrets
import socket
from collections.abc import Callable, Mapping

import uvicorn

from parsl.dashboard.runs import Runs
from parsl.dashboard.web import Dashboard

_LOOPBACK = "127.0.0.1"


class PortInUse(Exception):
    """The dashboard cannot listen on the requested port; the message explains what to do."""


def serve(path: str, port: int, with_token: bool, announce: Callable[[str], None]) -> None:
    """Serve pages about the runs of a directory until Ctrl-C.

    Args:
        path: The directory of a run, or of several runs.
        port: The port on loopback; 0 for a free one.
        with_token: Whether the pages need a token.
        announce: Called with a text for the user, once the port is open.

    Raises:
        PortInUse: The port cannot be used.
    """
    listener = listen(port)
    token = secrets.token_urlsafe(24) if with_token else ""
    runs = Runs(path)
    server: uvicorn.Server

    def is_ending() -> bool:
        return server.should_exit

    config = uvicorn.Config(
        Dashboard(runs, token, is_ending).app, log_level="warning", access_log=False, lifespan="off",
        timeout_graceful_shutdown=3, server_header=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    announce(announcement(runs, listener.getsockname()[1], token, os.environ))
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:  # uvicorn raises the signal again when it has closed the connections
        pass
    finally:
        listener.close()
        runs.close()


def listen(port: int) -> socket.socket:
    """Open a port on loopback; 0 for a free one.

    Raises:
        PortInUse: The port cannot be used.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_LOOPBACK, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            why = "is in use, perhaps by another dashboard"
        else:
            why = f"cannot be used: {error.strerror}"
        raise PortInUse(f"port {port} {why}. Leave out --port to get a free one, or name another") from error
    return listener


def announcement(runs: Runs, port: int, token: str, environment: Mapping[str, str]) -> str:
    """Return a text for the user: the address, and how to reach it from elsewhere."""
    address = f"http://localhost:{port}/" + (f"?token={token}" if token else "")
    what = f"run {runs.single}" if runs.single else f"the runs in {runs.path}"
    lines = [f"The dashboard shows {what} at", "", f"    {address}", ""]
    if environment.get("SSH_CONNECTION"):
        host = socket.gethostname()
        lines += [
            f"This is a login over ssh to {host}. Type on your own computer, then open the address there:",
            "", f"    ssh -N -L {port}:localhost:{port} {host}", "",
        ]  # fmt: skip
    if not token:
        lines.append("Without a token, every user of this machine can see the pages.")
    return "\n".join([*lines, "Ctrl-C ends the dashboard. It only reads, and does not disturb runs."])
