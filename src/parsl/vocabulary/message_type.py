"""The kinds of monitoring messages."""

from __future__ import annotations

from enum import Enum


class MessageType(Enum):
    """What a monitoring message is about. The numbers are upstream's: programs send and store them."""

    TASK_INFO = 0
    """A task, in the driver."""

    RESOURCE_INFO = 1
    """What a task uses, measured in its worker."""

    WORKFLOW_INFO = 2
    """A run."""

    NODE_INFO = 3
    """A manager and its node."""

    BLOCK_INFO = 4
    """The state of a block."""

    WORKER_TASK_INFO = 5
    """Start and end of a task, seen by its worker."""


#: Pickles name the path at which every version of Parsl has the class.
MessageType.__module__ = "parsl.monitoring.message_type"
