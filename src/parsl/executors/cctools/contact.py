"""How workers find an executor."""

from __future__ import annotations

import os
import shlex
import socket
import warnings
from collections.abc import Callable
from typing import NamedTuple


class Contact(NamedTuple):
    """How workers find an executor, and what they must know."""

    #: The name in the catalog; None if workers use the address.
    project_name: str | None
    #: The file with the password of workers; None if there is none.
    password_file: str | None
    #: The address of the driver's machine; None for its host name.
    address: str | None

    @property
    def host(self) -> str:
        """The address of the driver's machine."""
        return self.address or _host_name()

    def check_password_file(self, failure: Callable[[str], Exception]) -> None:
        """Raise ``failure`` if there is no password file of that name."""
        if self.password_file is not None and not os.path.exists(self.password_file):
            raise failure(f"Could not find password file: {self.password_file}")

    def warn_if_public(self, engine: str) -> None:
        """Warn of a project in the catalog whose workers need no password."""
        if self.project_name and not self.password_file:
            warnings.warn(
                f"The {engine} project {self.project_name!r} is public: workers find it in the catalog, and "
                "any of them gets tasks. Set project_password_file to prevent that.",
                stacklevel=3,
            )

    def worker_command(self, executable: str, options: str | None, port: int) -> str:
        """Return the shell command of a worker, which ends when it loses the executor."""
        contact = ["--single-shot"]
        if self.password_file:
            contact += ["--password", os.path.abspath(self.password_file)]
        contact += ["-M", self.project_name] if self.project_name else [self.host, str(port)]
        return f"{executable} {options or ''} {shlex.join(contact)}"


def _host_name() -> str:
    """Return the name of this host, or the loopback address if the host does not know its own name."""
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        return "127.0.0.1"
    return name
