"""A radio of UDP packets, which are signed. Packets may be lost unnoticed."""

from __future__ import annotations

import hmac
import logging
import pickle
import secrets
import socket
import threading
from multiprocessing.queues import Queue

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.monitoring.radios.base import MonitoringRadioReceiver, MonitoringRadioSender, RadioConfig

logger = logging.getLogger(__name__)

_MAX_PACKET = 65_536
_KEY_BYTES = 64
#: How often the thread checks whether it is to end, in seconds.
_PERIOD_S = 0.5


class UDPRadio(RadioConfig, RepresentationMixin):
    """Sends messages as UDP packets to the driver.

    Args:
        port: The port at which the driver receives; None for any.
        atexit_timeout: How long the receiver may wait for late packets at the end of the run, in seconds.
        address: The driver's address, as the nodes reach it.
        debug: No effect.
        hmac_digest: The hash function of the signatures.
    """

    port = validate.Port(optional=True)
    atexit_timeout = validate.Number(low=0)
    address = validate.Text(allow_empty=False)
    hmac_digest = validate.Text(allow_empty=False)

    def __init__(
        self,
        *,
        port: int | None = None,
        atexit_timeout: int = 3,
        address: str,
        debug: bool = False,
        hmac_digest: str = "sha512",
    ) -> None:
        self.debug = debug
        validate.assign(self, locals())
        self._key = secrets.token_bytes(_KEY_BYTES)

    def create_sender(self) -> MonitoringRadioSender:
        """Return a sender."""
        assert self.port is not None, "create_receiver() comes first, in the driver"
        return UDPRadioSender(self.address, self.port, self._key, self.hmac_digest)

    def create_receiver(self, run_dir: str, resource_msgs: Queue) -> MonitoringRadioReceiver:  # type: ignore[type-arg]
        """Return a receiver, which is a thread."""
        receiver = UDPRadioReceiver(
            self.port or 0, self._key, self.hmac_digest, resource_msgs, self.atexit_timeout
        )
        self.port = receiver.port
        return receiver


class UDPRadioSender(MonitoringRadioSender):
    """Sends messages as UDP packets.

    Args:
        address: The receiver's address.
        port: The receiver's port.
        hmac_key: The key of the signatures.
        hmac_digest: Their hash function.
        timeout: How long a packet may take to leave, in seconds.
    """

    def __init__(
        self, address: str, port: int, hmac_key: bytes, hmac_digest: str, *, timeout: int = 10
    ) -> None:
        self._target = (address, port)
        self._key = hmac_key
        self._digest = hmac_digest
        family = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM)[0][0]
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.settimeout(timeout)

    def send(self, message: object) -> None:
        """Send a message. If that fails, it is lost, and logged."""
        data = pickle.dumps(message)
        try:
            self._socket.sendto(hmac.digest(self._key, data, self._digest) + data, self._target)
        except OSError as error:
            logger.warning("A monitoring message is lost: %s", error)


class UDPRadioReceiver(MonitoringRadioReceiver):
    """Receives UDP packets, in a thread. Packets without the right signature are dropped.

    Args:
        port: The port; 0 for any.
        key: The key of the signatures.
        digest: Their hash function.
        messages: The queue that messages are put into.
        late_s: How long to wait for late packets at the end, in seconds.
    """

    def __init__(self, port: int, key: bytes, digest: str, messages: Queue, late_s: float) -> None:  # type: ignore[type-arg]
        self._key = key
        self._digest = digest
        self._size = len(hmac.digest(key, b"", digest))
        self._queue = messages
        self._late_s = late_s
        self._is_ending = threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("", port))
        self._socket.settimeout(_PERIOD_S)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="parsl-radio-udp", daemon=True)
        self._thread.start()

    def shutdown(self) -> None:
        """Receive no more packets."""
        self._is_ending.set()
        self._thread.join(self._late_s + 2 * _PERIOD_S)
        self._socket.close()

    def _run(self) -> None:
        while True:
            try:
                packet = self._socket.recv(_MAX_PACKET)
            except TimeoutError:
                if self._is_ending.is_set():
                    return
                continue
            except OSError:
                return
            self._take(packet)

    def _take(self, packet: bytes) -> None:
        signature, data = packet[: self._size], packet[self._size :]
        if not hmac.compare_digest(signature, hmac.digest(self._key, data, self._digest)):
            logger.warning("A UDP packet to port %s has a wrong signature, and is dropped", self.port)
            return
        try:
            self._queue.put(pickle.loads(data))
        except Exception:
            logger.exception("A monitoring message cannot be read")
