"""Retired channels of upstream Parsl: providers now run commands on the driver's host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from parsl.errors import ConfigurationError

__all__ = ["LocalChannel", "OAuthSSHChannel", "SSHChannel", "SSHInteractiveLoginChannel"]


class LocalChannel:
    """A value for the providers' retired argument ``channel``. It and its arguments have no effect."""

    def __init__(
        self, userhome: str = ".", envs: Mapping[str, str] | None = None, script_dir: str | None = None
    ) -> None:
        self.userhome = userhome
        self.envs = dict(envs or {})
        self.script_dir = script_dir

    def __repr__(self) -> str:
        return "LocalChannel()"


class SSHChannel:
    """Formerly, a connection to a scheduler on another host. It has no equivalent.

    Raises:
        ConfigurationError: Always; the message advises what to do.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ConfigurationError(
            f"{type(self).__name__} has been retired: providers run the scheduler's commands on the host of "
            "the script. Run the script on a login node of the machine, and leave channel out"
        )


class SSHInteractiveLoginChannel(SSHChannel):
    """Retired, like :class:`SSHChannel`."""


class OAuthSSHChannel(SSHChannel):
    """Retired, like :class:`SSHChannel`."""
