"""Messages over ZeroMQ, with keys and without."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import pytest

from parsl.curvezmq import create_certificates
from parsl.monitoring.errors import MonitoringRouterStartError
from parsl.monitoring.message_type import MessageType
from parsl.monitoring.radios.zmq import ZMQRadioSender
from parsl.monitoring.radios.zmq_router import ZMQRadioReceiver, start_zmq_receiver

MESSAGE = (MessageType.NODE_INFO, {"hostname": "x0"})
Start = Callable[..., ZMQRadioReceiver]


@pytest.fixture
def start(messages: Queue, tmp_path: Path) -> Iterator[Start]:  # type: ignore[type-arg]
    started: list[ZMQRadioReceiver] = []

    def start(cert_dir: str | None = None, ports: tuple[int, int] = (50_000, 60_000)) -> ZMQRadioReceiver:
        receiver = start_zmq_receiver(
            monitoring_messages=messages,
            loopback_address="127.0.0.1",
            port_range=ports,
            logdir=str(tmp_path),
            worker_debug=False,
            cert_dir=cert_dir,
        )
        started.append(receiver)
        return receiver

    yield start
    for receiver in started:
        receiver.close()


@pytest.mark.parametrize("has_keys", [False, True])
def test_a_message_arrives(has_keys: bool, start: Start, messages: Queue, tmp_path: Path) -> None:  # type: ignore[type-arg]
    keys = str(create_certificates(tmp_path)) if has_keys else None
    ZMQRadioSender("127.0.0.1", start(keys).port, keys).send(MESSAGE)
    assert messages.get(timeout=60) == MESSAGE


class _Harmful:
    def __reduce__(self) -> Any:
        return os.abort, ()


def test_a_message_with_other_objects_is_dropped_unopened(start: Start, messages: Queue) -> None:  # type: ignore[type-arg]
    sender = ZMQRadioSender("127.0.0.1", start().port, None)
    sender.send(_Harmful())
    sender.send(MESSAGE)
    assert messages.get(timeout=60) == MESSAGE


def test_a_range_without_a_free_port_is_an_error(start: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(MonitoringRouterStartError):
            start(ports=(port, port + 1))
