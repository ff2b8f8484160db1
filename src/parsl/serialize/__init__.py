"""Users' objects as bytes, and back: the interface for other programs and their serializers (`facade`)."""

from __future__ import annotations

from parsl.common import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.serialize.facade import deserialize, pack_apply_message, serialize, unpack_apply_message

__all__ = ["deserialize", "pack_apply_message", "serialize", "unpack_apply_message"]
__getattr__, __dir__ = lazy_names(__name__, dict.fromkeys(__all__, "parsl.serialize.facade"))
