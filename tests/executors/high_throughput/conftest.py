"""Fixtures of whole runs."""

from tests.system.fixtures import far, marks, start_driver, start_run

__all__ = ["far", "marks", "start_driver", "start_run"]
