"""The radio of tasks of a HighThroughputExecutor.

What these tasks use arrives with their results, without a radio. Other messages travel as files in the
directory of the run.
"""

from __future__ import annotations

from multiprocessing.queues import Queue

from parsl.common.representation import RepresentationMixin
from parsl.monitoring.errors import RadioRequiredError
from parsl.monitoring.radios.base import MonitoringRadioReceiver, MonitoringRadioSender, RadioConfig
from parsl.monitoring.radios.filesystem import FilesystemRadioReceiver, FilesystemRadioSender


class HTEXRadio(RadioConfig, RepresentationMixin):
    """Sends messages from tasks of a HighThroughputExecutor."""

    def __init__(self) -> None:
        self.run_dir: str | None = None

    def create_sender(self) -> MonitoringRadioSender:
        """Return a sender."""
        sender = HTEXRadioSender()
        if self.run_dir is not None:
            sender.files = FilesystemRadioSender(run_dir=self.run_dir)
        return sender

    def create_receiver(self, *, run_dir: str, resource_msgs: Queue) -> MonitoringRadioReceiver:  # type: ignore[type-arg]
        """Return a receiver."""
        self.run_dir = run_dir
        return HTEXRadioReceiver(FilesystemRadioReceiver(resource_msgs, run_dir))


class HTEXRadioSender(MonitoringRadioSender):
    """Sends messages from a task; made by :meth:`HTEXRadio.create_sender`."""

    def __init__(self) -> None:
        self.files: FilesystemRadioSender | None = None

    def send(self, message: object) -> None:
        """Send a message.

        Raises:
            RadioRequiredError: The radio is not that of an executor of a monitored run.
        """
        if self.files is None:
            raise RadioRequiredError
        self.files.send(message)


class HTEXRadioReceiver(MonitoringRadioReceiver):
    """Receives the messages of tasks.

    Args:
        files: Reads them.
    """

    def __init__(self, files: FilesystemRadioReceiver | None = None) -> None:
        self._files = files

    def shutdown(self) -> None:
        """Receive no more messages."""
        if self._files is not None:
            self._files.shutdown()
