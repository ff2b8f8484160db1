"""Radios: messages arrive in the driver's queue, and samples among them in the database."""

from __future__ import annotations

import os
import pickle
import socket
from concurrent.futures import Future
from datetime import datetime
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import pytest

import parsl
from parsl import Config, HighThroughputExecutor, ThreadPoolExecutor, python_app
from parsl.errors import ConfigurationError
from parsl.executors.base import ParslExecutor
from parsl.monitoring import MonitoringHub
from parsl.monitoring.errors import RadioRequiredError
from parsl.monitoring.message_type import MessageType
from parsl.monitoring.radios.base import MonitoringRadioReceiver, MonitoringRadioSender, RadioConfig
from parsl.monitoring.radios.filesystem import FilesystemRadio
from parsl.monitoring.radios.htex import HTEXRadio, HTEXRadioSender
from parsl.monitoring.radios.multiprocessing import (
    MultiprocessingQueueRadio,
    MultiprocessingQueueRadioSender,
)
from parsl.monitoring.radios.udp import UDPRadio
from parsl.monitoring.settings import settings_file
from tests.conftest import WaitUntil
from tests.monitoring.database.runs import query
from tests.system.run import executor as make_executor

MESSAGE = (MessageType.RESOURCE_INFO, {"task_id": 0, "try_id": 0})


class TwiceRadio(RadioConfig):
    """A radio of another package, which sends each message twice through another one."""

    def __init__(self) -> None:
        self.inner = FilesystemRadio()

    def create_sender(self) -> MonitoringRadioSender:
        return TwiceSender(self.inner.create_sender())

    def create_receiver(self, *, run_dir: str, resource_msgs: Any) -> MonitoringRadioReceiver:
        return self.inner.create_receiver(run_dir=run_dir, resource_msgs=resource_msgs)


class TwiceSender(MonitoringRadioSender):
    def __init__(self, inner: MonitoringRadioSender) -> None:
        self.inner = inner

    def send(self, message: object) -> None:
        self.inner.send(message)
        self.inner.send(message)


class MarkingRadio(TwiceRadio):
    """A radio that leaves a file for each sample."""

    def __init__(self, marks: Path) -> None:
        super().__init__()
        self.marks = marks

    def create_sender(self) -> MonitoringRadioSender:
        return MarkingSender(self.inner.create_sender(), self.marks)


class MarkingSender(TwiceSender):
    def __init__(self, inner: MonitoringRadioSender, marks: Path) -> None:
        super().__init__(inner)
        self.marks = marks

    def send(self, message: object) -> None:
        super().send(message)
        kind, content = message  # type: ignore[misc]
        (self.marks / f"{kind.name} {content['timestamp']}").touch()


@pytest.mark.parametrize(
    "radio",
    [
        FilesystemRadio(),
        HTEXRadio(),
        MultiprocessingQueueRadio(),
        TwiceRadio(),
        UDPRadio(address="127.0.0.1"),
    ],
    ids=lambda radio: type(radio).__name__,
)
def test_a_message_arrives(radio: RadioConfig, messages: Queue, tmp_path: Path) -> None:  # type: ignore[type-arg]
    receiver = radio.create_receiver(run_dir=str(tmp_path), resource_msgs=messages)
    in_task = radio if isinstance(radio, MultiprocessingQueueRadio) else pickle.loads(pickle.dumps(radio))
    in_task.create_sender().send(MESSAGE)
    assert messages.get(timeout=60) == MESSAGE
    receiver.shutdown()


def test_packets_with_a_wrong_signature_are_dropped(messages: Queue, tmp_path: Path) -> None:  # type: ignore[type-arg]
    radio = UDPRadio(address="127.0.0.1", atexit_timeout=1)
    receiver = radio.create_receiver(str(tmp_path), messages)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.sendto(b"x" * 64 + pickle.dumps("wrong"), ("127.0.0.1", radio.port or 0))
    radio.create_sender().send(MESSAGE)
    assert messages.get(timeout=60) == MESSAGE
    receiver.shutdown()


def test_a_sender_without_its_radio_is_an_error() -> None:
    with pytest.raises(RadioRequiredError, match="remote_monitoring_radio"):
        HTEXRadioSender().send(MESSAGE)


@python_app
def send_sample(radio: RadioConfig) -> None:
    content = {
        "task_id": 0, "try_id": 0, "run_id": "x", "timestamp": datetime.now(), "psutil_process_pid": 77,
        "psutil_process_memory_resident": 2.0**20, "psutil_process_time_user": 1.5,
    }  # fmt: skip
    radio.create_sender().send((MessageType.RESOURCE_INFO, content))


def test_a_sample_that_a_task_sends_by_a_radio_of_its_own_is_in_the_database(
    tmp_path: Path, wait_until: WaitUntil
) -> None:
    radio = TwiceRadio()
    executor = ThreadPoolExecutor(remote_monitoring_radio=radio)
    with parsl.load(Config([executor], run_dir=str(tmp_path), monitoring=MonitoringHub())) as kernel:
        assert executor.monitoring_messages is not None
        send_sample(radio).result()
    wait_until(lambda: not os.path.exists(settings_file(kernel.run_dir)))
    found = query(
        tmp_path / "monitoring.db",
        "SELECT psutil_process_pid, psutil_process_time_user, psutil_process_memory_resident FROM resource",
    )
    assert found == [(77, 1.5, 2.0**20)]


def pids_of_samples(run_dir: str, database: Path, wait_until: WaitUntil) -> set[Any]:
    """Return the process ids of the samples of a run that has ended."""
    wait_until(lambda: not os.path.exists(settings_file(run_dir)))
    return {pid for (pid,) in query(database, "SELECT psutil_process_pid FROM resource")}


def test_a_radio_of_another_package_works_in_the_workers_of_an_executor(
    tmp_path: Path, wait_until: WaitUntil
) -> None:
    radio = TwiceRadio()
    executor = make_executor(remote_monitoring_radio=radio)
    with parsl.load(Config([executor], run_dir=str(tmp_path), monitoring=MonitoringHub())) as kernel:
        send_sample(radio).result(timeout=60)
    assert 77 in pids_of_samples(kernel.run_dir, tmp_path / "monitoring.db", wait_until)


@python_app
def wait_for(path: str) -> None:
    import os
    import time

    while not os.path.exists(path):
        time.sleep(0.01)


def test_the_samples_of_tasks_travel_by_a_radio_of_another_package(
    tmp_path: Path, wait_until: WaitUntil
) -> None:
    executor = make_executor(remote_monitoring_radio=MarkingRadio(tmp_path))
    hub = MonitoringHub(resource_monitoring_interval=0.1)
    with parsl.load(Config([executor], run_dir=str(tmp_path / "runs"), monitoring=hub)) as kernel:
        task = wait_for(str(tmp_path / "go"))
        wait_until(lambda: len(list(tmp_path.glob("RESOURCE_INFO *"))) > 1)
        (tmp_path / "go").touch()
        task.result(timeout=60)
    wait_until(lambda: not os.path.exists(settings_file(kernel.run_dir)))
    found = query(
        tmp_path / "runs" / "monitoring.db",
        "SELECT psutil_process_pid, psutil_process_memory_resident > 0 FROM resource WHERE task_id = 0 "
        "AND psutil_process_pid IS NOT NULL",
    )
    assert len(found) > 1
    assert len(list(tmp_path.glob("WORKER_TASK_INFO *"))) == 2  # its start and its end


class SilentRadio(TwiceRadio):
    """A radio whose senders cannot be made."""

    def create_sender(self) -> MonitoringRadioSender:
        raise OSError("no way to the driver")


def test_a_radio_that_does_not_work_fails_no_task(tmp_path: Path) -> None:
    executor = ThreadPoolExecutor(remote_monitoring_radio=SilentRadio())
    with parsl.load(Config([executor], run_dir=str(tmp_path), monitoring=MonitoringHub())):
        assert nothing().result(timeout=60) is None


class OwnSender(MonitoringRadioSender):
    """A sender of another package: it counts what it sends."""

    def __init__(self, queue: Any) -> None:
        self.inner = MultiprocessingQueueRadioSender(queue)
        self.count = 0

    def send(self, message: object) -> None:
        self.inner.send(message)
        self.count += 1


class OwnExecutor(ParslExecutor):
    """An executor of another package, which reports what its tasks use by a sender of its own."""

    label = "own"
    sender: OwnSender

    def start(self) -> None:
        self.sender = OwnSender(self.monitoring_messages)

    def submit(self, func: Any, resource_specification: Any, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(func(*args, **kwargs))
        content = {"task_id": 0, "try_id": 0, "timestamp": datetime.now(), "psutil_process_pid": 88}
        self.sender.send((MessageType.RESOURCE_INFO, content))
        return future

    def shutdown(self) -> None:
        """Do nothing."""


@python_app
def nothing() -> None:
    return None


def test_a_sender_of_another_package_works(tmp_path: Path, wait_until: WaitUntil) -> None:
    executor = OwnExecutor()
    with parsl.load(Config([executor], run_dir=str(tmp_path), monitoring=MonitoringHub())) as kernel:
        nothing().result(timeout=60)
    assert executor.sender.count == 1
    assert pids_of_samples(kernel.run_dir, tmp_path / "monitoring.db", wait_until) == {88}


def test_what_is_no_radio_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"remote_monitoring_radio is 'udp'.*HTEXRadio\(\)"):
        HighThroughputExecutor(remote_monitoring_radio="udp")
