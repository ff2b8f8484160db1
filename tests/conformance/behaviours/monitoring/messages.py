"""The kinds of monitoring messages, and their type for annotations."""

from typing import get_args, get_origin

from parsl.monitoring.message_type import MessageType
from parsl.monitoring.types import TaggedMonitoringMessage

print(*(f"{kind.name}={kind.value!r}" for kind in MessageType))
kind, content = get_args(TaggedMonitoringMessage)
print(get_origin(TaggedMonitoringMessage).__name__, kind is MessageType, get_origin(content).__name__)
print(*(part.__name__ for part in get_args(content)[:1]), MessageType.__module__)

# prints:
# TASK_INFO=0 RESOURCE_INFO=1 WORKFLOW_INFO=2 NODE_INFO=3 BLOCK_INFO=4 WORKER_TASK_INFO=5
# tuple True dict
# str parsl.monitoring.message_type
