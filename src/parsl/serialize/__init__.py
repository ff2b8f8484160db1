"""Users' objects as bytes, and back: the interface for other programs and their serializers (`facade`)."""

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
