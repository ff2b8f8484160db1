"""The receiver of :class:`parsl.monitoring.radios.zmq.ZMQRadioSender`: a thread with a socket."""

from __future__ import annotations

import io
import logging
import os
import pickle
import threading
from multiprocessing.queues import Queue
from typing import Any

from parsl.addresses import tcp_url
from parsl.curvezmq import ServerContext
from parsl.monitoring.errors import MonitoringRouterStartError
from parsl.monitoring.radios.base import MonitoringRadioReceiver

logger = logging.getLogger(__name__)

#: How often the thread checks whether it is to end, in milliseconds.
_PERIOD_MS = 500
#: What a message may contain besides Python's own types. Without keys, any user of this host can send one.
_ALLOWED = {
    "datetime": {"date", "datetime", "timedelta", "timezone"},
    "parsl.monitoring.message_type": {"MessageType"},
}


class ZMQRadioReceiver(MonitoringRadioReceiver):
    """Receives messages over ZeroMQ, in a thread.

    Args:
        messages: The queue that messages are put into.
        address: The address to listen at.
        port_range: The ports to choose from; the last one is not used.
        cert_dir: The directory of the keys; None for none.

    Attributes:
        port: The port that was chosen.

    Raises:
        MonitoringRouterStartError: No port of the range is free.
        CertificateError: The keys cannot be read, or others may know them.
    """

    def __init__(
        self,
        messages: Queue,  # type: ignore[type-arg]
        address: str,
        port_range: tuple[int, int],
        cert_dir: str | os.PathLike[str] | None,
    ) -> None:
        import zmq

        self._messages = messages
        self._context = ServerContext(cert_dir)
        try:
            self._socket = self._context.socket(zmq.ROUTER)
            self._socket.ipv6 = True
            self._socket.rcvtimeo = _PERIOD_MS
            self.port: int = self._socket.bind_to_random_port(tcp_url(address), *port_range)
        except zmq.ZMQBindError as error:
            self._context.destroy(0)
            raise MonitoringRouterStartError from error
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="parsl-radio-zmq", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at port {self.port}>"

    def shutdown(self) -> None:
        """Take what has arrived, and end the thread."""
        self._is_ending.set()
        self._thread.join()
        self._context.destroy(0)

    close = shutdown

    def _run(self) -> None:
        import zmq

        while True:
            try:
                data = self._socket.recv_multipart()[-1]
            except zmq.Again:
                if self._is_ending.is_set():
                    return
                continue
            try:
                self._messages.put(_Unpickler(io.BytesIO(data)).load())
            except Exception:
                logger.exception("A monitoring message cannot be read, and is dropped")


class _Unpickler(pickle.Unpickler):
    """Opens messages, but nothing that contains other objects."""

    def find_class(self, module: str, name: str) -> Any:
        if name not in _ALLOWED.get(module, ()):
            raise pickle.UnpicklingError(f"{module}.{name} is not part of a monitoring message")
        return super().find_class(module, name)


def start_zmq_receiver(
    *,
    monitoring_messages: Queue,  # type: ignore[type-arg]
    loopback_address: str,
    port_range: tuple[int, int],
    logdir: str,
    worker_debug: bool,
    cert_dir: str | os.PathLike[str] | None,
) -> ZMQRadioReceiver:
    """Return a receiver of messages over ZeroMQ.

    Args:
        monitoring_messages: The queue that messages are put into.
        loopback_address: The address to listen at.
        port_range: The ports to choose from; the last one is not used.
        logdir: No effect: the receiver is a thread, and writes into the log of this process.
        worker_debug: No effect.
        cert_dir: The directory of the keys, see :func:`parsl.curvezmq.create_certificates`; None for none.

    Raises:
        MonitoringRouterStartError: No port of the range is free.
        CertificateError: The keys cannot be read, or others may know them.
    """
    return ZMQRadioReceiver(monitoring_messages, loopback_address, port_range, cert_dir)
