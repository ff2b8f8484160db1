"""A sender of messages over ZeroMQ, to a receiver of :mod:`parsl.monitoring.radios.zmq_router`.

Upstream's interchange sends its messages this way. Here they arrive over the executor's own connection, and
only programs with processes of their own need this radio.
"""

from __future__ import annotations

import os
import pickle

from parsl.addresses import tcp_url
from parsl.curvezmq import ClientContext
from parsl.monitoring.radios.base import MonitoringRadioSender

#: How long unsent messages delay the end of the process, in milliseconds.
_LINGER_MS = 10_000


class ZMQRadioSender(MonitoringRadioSender):
    """Sends messages over ZeroMQ. Owned by one thread.

    Args:
        hub_address: The receiver's address.
        hub_zmq_port: The receiver's port.
        cert_dir: The directory of the keys, see :func:`parsl.curvezmq.create_certificates`; None if the
            receiver has none.

    Raises:
        CertificateError: The keys cannot be read, or others may know them.
    """

    def __init__(self, hub_address: str, hub_zmq_port: int, cert_dir: str | os.PathLike[str] | None) -> None:
        import zmq

        self._url = tcp_url(hub_address, hub_zmq_port)
        self._context = ClientContext(cert_dir)
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.linger = _LINGER_MS
        self._socket.ipv6 = True
        self._socket.connect(self._url)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} to {self._url}>"

    def send(self, message: object) -> None:
        """Queue a message; it is sent when the receiver is connected."""
        self._socket.send(pickle.dumps(message))
