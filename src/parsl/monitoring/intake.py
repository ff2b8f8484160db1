"""Monitoring messages of radios and executors, which become part of the run's event log."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from parsl.eventlog.records import ResourceSample
from parsl.monitoring.message_type import MessageType
from parsl.monitoring.radios.base import MonitoringRadioReceiver
from parsl.vocabulary.run_facts import ResourceSample as UsedResources

logger = logging.getLogger(__name__)

#: Ends the thread.
_END = None
_JOIN_S = 1.0
#: The fields of a sample, and those of upstream's messages that they come from.
_SAMPLE: dict[str, tuple[str, Any]] = {
    "pid": ("psutil_process_pid", int),
    "memory_resident": ("psutil_process_memory_resident", int),
    "memory_virtual": ("psutil_process_memory_virtual", int),
    "memory_percent": ("psutil_process_memory_percent", float),
    "user_s": ("psutil_process_time_user", float),
    "system_s": ("psutil_process_time_system", float),
    "children": ("psutil_process_children_count", int),
    "disk_read": ("psutil_process_disk_read", int),
    "disk_write": ("psutil_process_disk_write", int),
    "voluntary_switches": ("psutil_process_num_ctx_switches_voluntary", int),
    "involuntary_switches": ("psutil_process_num_ctx_switches_involuntary", int),
}


class MessageIntake:
    """Takes messages from a queue, in a thread, and notes the resource samples among them.

    Args:
        note: Called with the name of a record's class and its fields.

    Attributes:
        messages: The queue. Radios of other processes get it, so it is one of multiprocessing.
    """

    def __init__(self, note: Callable[..., None]) -> None:
        from parsl.multiprocessing import SpawnQueue

        self.messages = SpawnQueue()
        self._note = note
        self._receivers: list[MonitoringRadioReceiver] = []
        self._thread = threading.Thread(target=self._run, name="parsl-monitoring-messages", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._receivers)} radios>"

    def receive(self, radio: Any, run_dir: str) -> MonitoringRadioReceiver:
        """Create the receiver of an executor's radio, whose messages arrive here.

        Args:
            radio: A :class:`~parsl.monitoring.radios.base.RadioConfig`.
            run_dir: The directory of the run.
        """
        receiver: MonitoringRadioReceiver = radio.create_receiver(
            run_dir=run_dir, resource_msgs=self.messages
        )
        self._receivers.append(receiver)
        return receiver

    def close(self) -> None:
        """Take what has arrived, and end the receivers and the thread. Raises nothing."""
        for receiver in self._receivers:
            try:
                receiver.shutdown()
            except Exception:
                logger.exception("%r could not be shut down", receiver)
        self.messages.put(_END)
        self._thread.join(_JOIN_S)
        self.messages.close()

    def _run(self) -> None:
        while True:
            try:
                message = self.messages.get()
            except (EOFError, OSError, ValueError, queue.Empty):
                return
            if message is _END:
                return
            try:
                self._take(*message)
            except Exception:
                logger.exception("The monitoring message %.200r cannot be used", message)

    def _take(self, kind: MessageType, content: dict[str, Any]) -> None:
        if kind is MessageType.RESOURCE_INFO and "psutil_process_pid" in content:
            self._note("Samples", [sample_of(content)])
        elif kind is not MessageType.WORKER_TASK_INFO:
            logger.info("Not recorded, because executors report it themselves: %s %.500r", kind, content)


def sample_of(content: dict[str, Any]) -> ResourceSample:
    """Return the sample in the content of a message of the kind RESOURCE_INFO."""
    moment = content["timestamp"]
    if isinstance(moment, datetime):
        moment = moment.timestamp()
    values = {name: kind(content.get(key) or 0) for name, (key, kind) in _SAMPLE.items()}
    return ResourceSample(
        task=int(content["task_id"]),
        attempt=int(content["try_id"]),
        time_s=float(moment),
        status=str(content.get("psutil_process_status") or ""),
        cpu_number=str(content.get("psutil_cpu_num") or ""),
        **values,
    )


def content_of(sample: UsedResources) -> dict[str, Any]:
    """Return what a sample is in the content of a message of the kind RESOURCE_INFO."""
    values = {key: kind(getattr(sample, name)) for name, (key, kind) in _SAMPLE.items()}
    return {**values, "psutil_process_status": sample.status, "psutil_cpu_num": sample.cpu_number}
