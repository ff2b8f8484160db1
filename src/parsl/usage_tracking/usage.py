"""Collects usage data about a run, and sends it if the user names an address."""

from __future__ import annotations

import json
import os
import platform
import socket
import threading
from logging import getLogger
from time import time

from parsl.common.representation import RepresentationMixin
from parsl.common.rundirs import for_the_user
from parsl.usage_tracking.api import get_parsl_usage
from parsl.usage_tracking.levels import LEVEL_2, LEVEL_3
from parsl.version import VERSION

logger = getLogger(__name__)

#: The environment variable with the ``host:port`` to send data to, by UDP. Without it, nothing is sent.
ADDRESS_VARIABLE = "PARSL_USAGE_TRACKING_ADDRESS"
_FILE = "usage.jsonl"
_MAX_DATAGRAM_BYTES = 8192
#: How long the end of a run waits for its last message to be sent, in seconds.
SEND_TIMEOUT_S = 2.0


class UsageTracker:
    """Collects the data of a level of usage tracking at the beginning and at the end of a run.

    The data is written to ``usage.jsonl`` in the run directory, where the user can see it. If the environment
    variable ``PARSL_USAGE_TRACKING_ADDRESS`` is set, each line is also sent there as a UDP datagram. Errors
    are only logged. At level 0, nothing is written or sent.

    Attributes:
        tracking_level: The level, from 0 to 3.
    """

    def __init__(
        self, level: int, config: RepresentationMixin, project_name: str | None, run_dir: str
    ) -> None:
        self.tracking_level = level
        self._path = os.path.join(run_dir, _FILE)
        self._address = os.environ.get(ADDRESS_VARIABLE)
        self._began_s = time()
        self._correlator = os.urandom(16).hex()
        self._sending: list[threading.Thread] = []
        system = {"parsl": VERSION, "python": platform.python_version(), "system": platform.system()}
        message: dict[str, object] = {"event": "start", **system, "level": level}
        if project_name is not None:
            message["project"] = project_name
        if level >= LEVEL_2:
            message["components"] = _components(config)
        self._report(message)

    def end(self, task_count: int, failed_count: int) -> None:
        message: dict[str, object] = {"event": "end"}
        if self.tracking_level >= LEVEL_3:
            duration_s = round(time() - self._began_s, 3)
            message |= {"tasks": task_count, "failed": failed_count, "duration_s": duration_s}
        self._report(message)
        for thread in self._sending:
            thread.join(SEND_TIMEOUT_S)

    def _report(self, message: dict[str, object]) -> None:
        if not self.tracking_level:
            return
        message = {"correlator": self._correlator, "time_s": round(time(), 3), **message}
        line = json.dumps(message, default=str)
        try:
            with open(self._path, "a", opener=for_the_user) as stream:
                stream.write(line + "\n")
        except OSError as error:
            logger.debug("Usage information cannot be written: %s", error)
        if self._address is None:
            return
        # Resolving a host name may take very long.
        thread = threading.Thread(
            target=_send, args=(self._address, line), daemon=True, name="usage-tracking"
        )
        self._sending.append(thread)
        thread.start()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} level {self.tracking_level}, to {self._address or 'no address'}>"


def _components(config: RepresentationMixin) -> list[object]:
    try:
        return get_parsl_usage(config)
    except Exception as error:  # raised by a user's own class
        logger.debug("The parts of the configuration cannot be reported: %r", error)
        return []


def _send(address: str, line: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as sock:
            sock.sendto(line.encode()[:_MAX_DATAGRAM_BYTES], where)
    except (OSError, ValueError) as error:
        logger.debug("Usage information cannot be sent to %s: %s", address, error)
