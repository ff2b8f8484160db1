"""Monitoring: a run is recorded in a database, from its event log."""

from __future__ import annotations

from parsl.common import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.monitoring.monitoring import MonitoringHub

__all__ = ["MonitoringHub"]

__getattr__, __dir__ = lazy_names(__name__, {"MonitoringHub": "parsl.monitoring.monitoring"})
