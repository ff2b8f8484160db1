"""What the parts of a configuration tell about themselves for usage tracking."""

from __future__ import annotations

from collections.abc import Sequence

from parsl.common.representation import RepresentationMixin
from parsl.vocabulary import publish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class UsageInformation:
    """A part of a configuration that has more to tell than its class."""

    def get_usage_information(self) -> dict[str, Any]:
        """Return what there is to tell: nothing by which a user or a machine could be known."""
        return {}


def get_parsl_usage(obj: Any) -> list[Any]:
    """Return what is told of an object and of those it is made of.

    Returns:
        For each that is a part of a configuration: its class, if that is Parsl's, or a dictionary with the
        class as ``"c"`` and what :meth:`UsageInformation.get_usage_information` gives. For anything else,
        nothing.
    """
    if isinstance(obj, RepresentationMixin):
        return get_parsl_usage_representation_mixin(obj)
    if isinstance(obj, Sequence) and not isinstance(obj, (str, bytes)):
        return get_parsl_usage_sequence(obj)
    return []


def get_parsl_usage_representation_mixin(obj: RepresentationMixin) -> list[Any]:
    """Return what is told of a part of a configuration, and of its own parts."""
    from inspect import signature

    kind = f"{type(obj).__module__}.{type(obj).__qualname__}"
    if not kind.startswith("parsl."):
        kind = "(not of Parsl)"  # its name is nobody's business
    tell = getattr(obj, "get_usage_information", None)
    own: Any = {"c": kind, **tell()} if tell is not None else kind
    parts = (getattr(obj, name, None) for name in signature(type(obj).__init__).parameters if name != "self")
    return [own, *(told for part in parts for told in get_parsl_usage(part))]


def get_parsl_usage_sequence(obj: Sequence[Any]) -> list[Any]:
    """Return what is told of each item."""
    return [told for item in obj for told in get_parsl_usage(item)]


publish(globals(), "parsl.usage_tracking.api")
