"""Gathering what a run may tell, and sending it if it is said where to."""

from __future__ import annotations

import json
import os
import platform
import socket
import threading
from logging import getLogger
from time import time

from parsl.common.rundirs import for_the_user
from parsl.usage_tracking.levels import LEVEL_2, LEVEL_3
from parsl.version import VERSION
from parsl.vocabulary.usage import get_parsl_usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from parsl.common.representation import RepresentationMixin

logger = getLogger(__name__)

#: ``host:port`` to send to, by UDP. Unless it is set, nothing is sent anywhere.
ADDRESS_VARIABLE = "PARSL_USAGE_TRACKING_ADDRESS"
_FILE = "usage.jsonl"
_MAX_DATAGRAM_BYTES = 8192
#: How long the end of a run may wait for its last message, in seconds.
_PATIENCE_S = 2.0


class UsageTracker:
    """Gathers what the level of usage tracking says, at the beginning and at the end of a run.

    It is written to ``usage.jsonl`` in the run directory, where the user can see it; and if the environment
    variable ``PARSL_USAGE_TRACKING_ADDRESS`` is set, sent there, one UDP datagram for each line. Whatever
    goes wrong is logged and bothers nobody.

    Args:
        level: One of :mod:`parsl.usage_tracking.levels`, not 0.
        config: The configuration.
        project_name: What the user calls the project, to be told too.
        run_dir: The directory of the run.
    """

    def __init__(
        self, level: int, config: RepresentationMixin, project_name: str | None, run_dir: str
    ) -> None:
        self._level = level
        self._path = os.path.join(run_dir, _FILE)
        self._address = os.environ.get(ADDRESS_VARIABLE)
        self._began_s = time()
        self._correlator = os.urandom(16).hex()
        self._sending: list[threading.Thread] = []
        message: dict[str, Any] = {
            "event": "start",
            "parsl": VERSION,
            "python": platform.python_version(),
            "system": platform.system(),
            "level": level,
        }
        if project_name is not None:
            message["project"] = project_name
        if level >= LEVEL_2:
            message["components"] = _components(config)
        self._tell(message)

    def end(self, task_count: int, failed_count: int) -> None:
        """Tell that the run is over.

        Args:
            task_count: How many tasks there were.
            failed_count: How many of them failed.
        """
        message: dict[str, Any] = {"event": "end"}
        if self._level >= LEVEL_3:
            duration_s = round(time() - self._began_s, 3)
            message |= {"tasks": task_count, "failed": failed_count, "duration_s": duration_s}
        self._tell(message)
        for thread in self._sending:
            thread.join(_PATIENCE_S)

    def _tell(self, message: dict[str, Any]) -> None:
        message = {"correlator": self._correlator, "time_s": round(time(), 3), **message}
        line = json.dumps(message, default=str)
        try:
            with open(self._path, "a", opener=for_the_user) as stream:
                stream.write(line + "\n")
        except OSError as error:
            logger.debug("Usage information cannot be written: %s", error)
        if self._address is None:
            return
        # Finding an address may take long, or for ever.
        thread = threading.Thread(
            target=_send, args=(self._address, line), daemon=True, name="usage-tracking"
        )
        self._sending.append(thread)
        thread.start()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} level {self._level}, to {self._address or 'nobody'}>"


def _components(config: RepresentationMixin) -> list[Any]:
    try:
        return get_parsl_usage(config)
    except Exception as error:  # of a user's own part
        logger.debug("What the configuration is made of cannot be told: %r", error)
        return []


def _send(address: str, line: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        content = line.encode()[:_MAX_DATAGRAM_BYTES]
        (family, kind, protocol, _, where), *_others = socket.getaddrinfo(
            host, int(port), type=socket.SOCK_DGRAM
        )
        with socket.socket(family, kind, protocol) as sock:
            sock.sendto(content, where)
    except (OSError, ValueError) as error:
        logger.debug("Usage information cannot be sent to %s: %s", address, error)
