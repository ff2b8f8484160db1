"""Channels, which providers do not need any more: commands run on the driver's host."""

from __future__ import annotations

from parsl.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn

__all__ = ["LocalChannel", "OAuthSSHChannel", "SSHChannel", "SSHInteractiveLoginChannel"]


class LocalChannel:
    """What providers' retired argument ``channel`` was given; it does nothing.

    Args:
        userhome: Accepted.
        envs: Accepted.
        script_dir: Accepted; scripts of jobs are in the run directory.
    """

    def __init__(
        self, userhome: str = ".", envs: Mapping[str, str] | None = None, script_dir: str | None = None
    ) -> None:
        self.userhome = userhome
        self.envs = dict(envs or {})
        self.script_dir = script_dir

    def __repr__(self) -> str:
        return "LocalChannel()"


class SSHChannel:
    """Reached a scheduler on another host; there is no equivalent.

    Raises:
        ConfigurationError: Always; it says what to do.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ConfigurationError(
            f"{type(self).__name__} has been retired: providers run the scheduler's commands on the host of "
            "the script. Run the script on a login node of the machine, and leave channel out"
        )


class SSHInteractiveLoginChannel(SSHChannel):
    """As :class:`SSHChannel`."""


class OAuthSSHChannel(SSHChannel):
    """As :class:`SSHChannel`."""
