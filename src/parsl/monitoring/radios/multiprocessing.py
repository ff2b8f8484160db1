"""A radio for tasks in the driver's own process, or in children of it: a queue."""

from __future__ import annotations

from multiprocessing.queues import Queue

from parsl.common.representation import RepresentationMixin
from parsl.monitoring.radios.base import MonitoringRadioReceiver, MonitoringRadioSender, RadioConfig


class MultiprocessingQueueRadio(RadioConfig):
    """Puts messages into the driver's queue."""

    def __init__(self) -> None:
        self._queue: Queue | None = None  # type: ignore[type-arg]

    def create_sender(self) -> MonitoringRadioSender:
        """Return a sender."""
        assert self._queue is not None, "create_receiver() comes first"
        return MultiprocessingQueueRadioSender(self._queue)

    def create_receiver(self, *, run_dir: str, resource_msgs: Queue) -> MonitoringRadioReceiver:  # type: ignore[type-arg]
        """Return a receiver, which has nothing to do."""
        self._queue = resource_msgs
        return MultiprocessingQueueRadioReceiver()


class MultiprocessingQueueRadioSender(MonitoringRadioSender, RepresentationMixin):
    """Puts messages into a queue.

    Args:
        queue: The driver's queue.
    """

    def __init__(self, queue: Queue) -> None:  # type: ignore[type-arg]
        self.queue = queue

    def send(self, message: object) -> None:
        """Put a message into the queue."""
        self.queue.put(message)


class MultiprocessingQueueRadioReceiver(MonitoringRadioReceiver):
    """Has nothing to do: senders use the driver's queue."""

    def shutdown(self) -> None:
        """Do nothing."""
