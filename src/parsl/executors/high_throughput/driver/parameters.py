"""Checks of those parameters of the HighThroughputExecutor that are like nothing else's."""

from __future__ import annotations

from typing import Any

from parsl import validate

#: Highest prefetch_capacity: more than there are tasks, and a number that can be sent.
MAX_PREFETCH = 1_000_000_000


def check_provider(owner: object, provider: Any) -> Any:
    """Return the provider.

    Raises: ParameterError, if it is none.
    """
    missing = [name for name in ("submit", "status", "cancel") if not callable(getattr(provider, name, None))]
    if missing or isinstance(provider, type):
        validate.wrong_type(owner, "provider", provider, "a provider, such as LocalProvider()")
    return provider


def check_label(owner: object, label: Any) -> str:
    """Return the label.

    Raises: ParameterError, if no directory can have that name.
    """
    text = validate.text(owner, "label", label, allow_empty=False, one_line=True)
    if "/" in text or text in (".", ".."):
        validate.wrong_value(owner, "label", label, "a name that can be a directory's: without '/'")
    return text


def check_max_workers(owner: object, value: Any) -> int | None:
    """Return the most workers of a node; None for as many as fit, which infinity says too.

    Raises: ParameterError, if it is no such number.
    """
    if value is None or value == float("inf"):
        return None
    return validate.integer(owner, "max_workers_per_node", value, low=1)


def check_enforcing(owner: object, value: Any, mem_per_worker: float | None) -> bool:
    """Return whether memory limits are enforced.

    Raises: ParameterError, if that cannot be.
    """
    if validate.boolean(owner, "enforce_mem_per_worker", value) and mem_per_worker is None:
        validate.wrong_value(
            owner, "enforce_mem_per_worker", value, "False without mem_per_worker, the limit, in GB"
        )
    return bool(value)


def is_number(value: Any) -> bool:
    """Whether a value can be compared with numbers: `nan` and booleans cannot."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
