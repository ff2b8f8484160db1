"""The states of a task."""

from __future__ import annotations

from parsl.vocabulary.task_states import FINAL_FAILURE_STATES, FINAL_STATES, States

__all__ = ["FINAL_FAILURE_STATES", "FINAL_STATES", "States"]
