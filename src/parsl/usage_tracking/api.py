"""What the parts of a configuration report about themselves for usage tracking."""

from __future__ import annotations

from collections.abc import Sequence

from parsl.common.representation import RepresentationMixin, UsageInformation

__all__ = [
    "UsageInformation", "get_parsl_usage", "get_parsl_usage_representation_mixin", "get_parsl_usage_sequence",
]  # fmt: skip


def get_parsl_usage(obj: object) -> list[object]:
    """Return the reports of an object and of its parts.

    Returns:
        For each part of a configuration: the name of its class, if that belongs to Parsl, or a dictionary
        with this name as ``"c"`` and the items of :meth:`UsageInformation.get_usage_information`. For any
        other object, nothing.
    """
    if isinstance(obj, RepresentationMixin):
        return get_parsl_usage_representation_mixin(obj)
    if isinstance(obj, Sequence) and not isinstance(obj, (str, bytes)):
        return get_parsl_usage_sequence(obj)
    return []


def get_parsl_usage_representation_mixin(obj: RepresentationMixin) -> list[object]:
    """Return the reports of a part of a configuration and of its own parts."""
    from inspect import signature

    kind = f"{type(obj).__module__}.{type(obj).__qualname__}"
    if not kind.startswith("parsl."):
        kind = "(not of Parsl)"  # the name of a user's own class is private
    report = getattr(obj, "get_usage_information", None)
    own: object = {"c": kind, **report()} if report is not None else kind
    parts = [getattr(obj, name, None) for name in signature(type(obj).__init__).parameters if name != "self"]
    return [own, *get_parsl_usage_sequence(parts)]


def get_parsl_usage_sequence(obj: Sequence[object]) -> list[object]:
    """Return the reports of all items."""
    return [report for item in obj for report in get_parsl_usage(item)]
