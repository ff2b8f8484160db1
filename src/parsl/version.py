"""The version of Parsl; the calendar date of the release."""

from __future__ import annotations

VERSION = "2026.11.23"
