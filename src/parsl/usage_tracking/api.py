"""What the parts of a configuration report about themselves for usage tracking."""

from __future__ import annotations

from parsl.vocabulary.usage import (
    UsageInformation,
    get_parsl_usage,
    get_parsl_usage_representation_mixin,
    get_parsl_usage_sequence,
)

__all__ = [
    "UsageInformation",
    "get_parsl_usage",
    "get_parsl_usage_representation_mixin",
    "get_parsl_usage_sequence",
]
