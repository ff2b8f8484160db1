"""The serializers that come with Parsl."""

from __future__ import annotations

import pickle

from parsl.errors import OptionalModuleMissing
from parsl.serialize.base import SerializerBase
from parsl.serialize.objects import dumps_inline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class PickleSerializer(SerializerBase):
    """Pickle; what a script defines goes by value (cloudpickle)."""

    identifier = b"01"

    def serialize(self, data: Any) -> bytes:
        return dumps_inline(data)

    def deserialize(self, body: bytes) -> Any:
        return pickle.loads(body)


class DillSerializer(SerializerBase):
    """Dill, for what pickle cannot do. Needs the package dill, here and where the bytes are read.

    Functions of a script come with the globals that they use, and no others.
    """

    identifier = b"02"

    def serialize(self, data: Any) -> bytes:
        return _dill().dumps(data, recurse=True)  # type: ignore[no-any-return]

    def deserialize(self, body: bytes) -> Any:
        return _dill().loads(body)


class DillCallableSerializer(DillSerializer):
    """Dill, for functions."""

    identifier = b"C2"


def _dill() -> Any:
    try:
        import dill
    except ImportError as error:
        raise OptionalModuleMissing(
            ["dill"], "DillSerializer uses it. Install it with: python -m pip install dill"
        ) from error
    return dill
