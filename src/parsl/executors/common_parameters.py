"""Checks of parameters that several executors have."""

from __future__ import annotations

from parsl import validate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def check_storage_access(owner: object, name: str, value: object) -> list[Any] | None:
    """Return the staging providers; None for the default ones. Raises ParameterError for other objects."""
    providers: list[Any] | None = validate.list_of(
        owner, name, value, object, optional=True, check=_check_staging
    )
    return providers


def _check_staging(owner: object, name: str, item: object) -> object:
    if isinstance(item, type) or not callable(getattr(item, "can_stage_in", None)):
        validate.wrong_type(owner, name, item, "a staging provider, such as NoOpFileStaging()")
    return item


def no_radio(owner: object, name: str, value: Any) -> Any:
    """Return None; raises ParameterError for a radio, because monitoring would not use it."""
    if value is not None:
        expected = "None, as monitoring is not available in this version yet"
        validate.wrong_value(owner, name, value, expected)
    return value
