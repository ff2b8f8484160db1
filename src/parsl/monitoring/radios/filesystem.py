"""A radio of files in a directory that the driver and the nodes share."""

from __future__ import annotations

import logging
import os
import pickle
import threading
from multiprocessing.queues import Queue

from parsl.common.representation import RepresentationMixin
from parsl.monitoring.radios.base import MonitoringRadioReceiver, MonitoringRadioSender, RadioConfig

logger = logging.getLogger(__name__)

_DIRECTORY = "monitor-fs-radio"
#: How often to look for messages, in seconds.
_PERIOD_S = 0.5


class FilesystemRadio(RadioConfig, RepresentationMixin):
    """Sends each message as a file in the directory of the run, which the nodes must see."""

    def __init__(self) -> None:
        self.run_dir: str | None = None

    def create_sender(self) -> MonitoringRadioSender:
        """Return a sender."""
        assert self.run_dir is not None, "create_receiver() comes first, in the driver"
        return FilesystemRadioSender(run_dir=self.run_dir)

    def create_receiver(self, *, run_dir: str, resource_msgs: Queue) -> MonitoringRadioReceiver:  # type: ignore[type-arg]
        """Return a receiver, which is a thread."""
        self.run_dir = run_dir
        return FilesystemRadioReceiver(resource_msgs, run_dir)


class FilesystemRadioSender(MonitoringRadioSender):
    """Writes messages as files.

    Args:
        run_dir: The directory of the run.
    """

    def __init__(self, *, run_dir: str) -> None:
        self._new, self._unfinished = _make_directories(run_dir)

    def send(self, message: object) -> None:
        """Write a message. It appears to the receiver when it is complete."""
        name = f"{os.uname().nodename}-{os.getpid()}-{os.urandom(8).hex()}"
        path = os.path.join(self._unfinished, name)
        with open(path, "wb") as file:
            file.write(pickle.dumps(message))
        os.rename(path, os.path.join(self._new, name))


class FilesystemRadioReceiver(MonitoringRadioReceiver):
    """Reads messages from files, in a thread.

    Args:
        resource_msgs: The queue that messages are put into.
        run_dir: The directory of the run.
    """

    def __init__(self, resource_msgs: Queue, run_dir: str) -> None:  # type: ignore[type-arg]
        self._queue = resource_msgs
        self._new, _ = _make_directories(run_dir)
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="parsl-radio-files", daemon=True)
        self._thread.start()

    def shutdown(self) -> None:
        """Read what is there, and end the thread."""
        self._is_ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_ending.wait(_PERIOD_S):
            self._read()
        self._read()

    def _read(self) -> None:
        for name in sorted(os.listdir(self._new)):
            path = os.path.join(self._new, name)
            try:
                with open(path, "rb") as file:
                    self._queue.put(pickle.load(file))
                os.unlink(path)
            except Exception:
                logger.exception("The monitoring message %s cannot be read", path)
                os.replace(path, os.path.join(os.path.dirname(self._new), name))


def _make_directories(run_dir: str) -> tuple[str, str]:
    base = os.path.join(run_dir, _DIRECTORY)
    new, unfinished = os.path.join(base, "new"), os.path.join(base, "tmp")
    os.makedirs(base, mode=0o700, exist_ok=True)  # what is in it is unpickled
    for path in (new, unfinished):
        os.makedirs(path, exist_ok=True)
    return new, unfinished
