"""Types of monitoring messages, for annotations in executors and radios."""

from __future__ import annotations

from typing import Any, TypeAlias

from parsl.monitoring.message_type import MessageType

MonitoringMessage: TypeAlias = dict[str, Any]
TaggedMonitoringMessage: TypeAlias = tuple[MessageType, MonitoringMessage]
