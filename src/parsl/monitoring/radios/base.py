"""What a radio consists of. Others may define radios of their own."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from multiprocessing.queues import Queue


class MonitoringRadioReceiver(metaclass=ABCMeta):
    """Receives messages in the driver, and puts them into the queue that it was created with."""

    @abstractmethod
    def shutdown(self) -> None:
        """Receive no more messages, and release all resources."""


class MonitoringRadioSender(metaclass=ABCMeta):
    """Sends messages from where tasks run."""

    @abstractmethod
    def send(self, message: object) -> None:
        """Send a message.

        Args:
            message: A :data:`~parsl.monitoring.types.TaggedMonitoringMessage`.
        """


class RadioConfig(metaclass=ABCMeta):
    """The configuration of a radio, for an executor's ``remote_monitoring_radio``; pickled into tasks."""

    @abstractmethod
    def create_sender(self) -> MonitoringRadioSender:
        """Return a sender, where tasks run; the receiver was created before this object was pickled."""

    @abstractmethod
    def create_receiver(self, *, run_dir: str, resource_msgs: Queue) -> MonitoringRadioReceiver:  # type: ignore[type-arg]
        """Return a receiver, in the driver.

        Args:
            run_dir: The directory of the run.
            resource_msgs: The queue that messages are put into.
        """
