"""Errors and warnings of monitoring.

::

    ParslError
    ├── MonitoringRouterStartError
    └── RadioRequiredError
    UserWarning
    └── MonitoringWarning
"""

from __future__ import annotations

from parsl.errors import ParslError


class MonitoringRouterStartError(ParslError):
    """The receiver of a radio has not started."""

    def __str__(self) -> str:
        return "The receiver of monitoring messages has not started: see the log of the run"


class RadioRequiredError(ParslError):
    """A radio is needed, but the executor has none."""

    def __str__(self) -> str:
        return "A radio must be configured: see the executor's parameter remote_monitoring_radio"


class MonitoringWarning(UserWarning):
    """The database of monitoring lacks rows, or gets them late. The run is not affected."""
