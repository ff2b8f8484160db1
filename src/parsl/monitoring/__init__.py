"""Monitoring: its messages are here; the hub that records them is a later version's."""

from __future__ import annotations

from parsl.common import lazy_names

__getattr__, __dir__ = lazy_names(__name__, {"MonitoringHub": "parsl.monitoring.monitoring"})
