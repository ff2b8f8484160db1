"""The serializers that come with Parsl."""

from __future__ import annotations

import io
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
        with io.BytesIO() as file:
            _pickler_of(_dill())(file, recurse=True).dump(data)
            return file.getvalue()

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


def _pickler_of(dill: Any) -> Any:
    from concurrent.futures import Future

    class Pickler(dill.Pickler):  # type: ignore[misc]
        """Refuses futures: dill makes copies of them that nobody will ever complete."""

        def reducer_override(self, obj: object) -> Any:
            if issubclass(type(obj), Future):
                raise pickle.PicklingError(f"{obj!r} cannot be pickled: it lives in this process")
            return NotImplemented

    return Pickler
