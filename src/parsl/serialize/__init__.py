"""Users' objects as bytes, and back.

The high-throughput executor uses its own compact form (`payloads`, `functions`). The names here are for other
programs: they pack objects together with the names of their serializers, and accept further serializers.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from parsl.serialize.facade import deserialize, pack_apply_message, serialize, unpack_apply_message

__all__ = ["deserialize", "pack_apply_message", "serialize", "unpack_apply_message"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from parsl.serialize import facade

    return getattr(facade, name)
