"""The serializers that come with Parsl."""

from __future__ import annotations

import io
import pickle
import sys
from concurrent.futures import Future
from threading import Lock, RLock

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

    Functions of a script come with the globals that they use, and no others. Files, futures and locks that
    are held are refused: their copies would do harm.
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
    class Pickler(dill.Pickler):  # type: ignore[misc]
        """Refuses what dill makes harmful copies of."""

        def reducer_override(self, obj: object) -> Any:
            reason = _why_not(obj)
            if reason:
                raise pickle.PicklingError(f"{obj!r} cannot be pickled: {reason}")
            return NotImplemented

    return Pickler


def _why_not(obj: object) -> str | None:
    """Why no copy of an object is any good elsewhere, if so."""
    kind = type(obj)  # not isinstance: it makes a lazy object fetch
    if issubclass(kind, Future):
        return "it lives in this process, and nobody would ever complete its copy"
    if issubclass(kind, _FILES) and not any(obj is stream for stream in _STANDARD_STREAMS):
        return "a file that is open to write would be emptied by being opened again; pass its name"
    if kind in _LOCKS and repr(obj).startswith("<locked"):
        return "it is held, and nobody would ever release its copy"
    return None


#: What has a file of the operating system below it; files in memory are not among them.
_FILES = (io.FileIO, io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.TextIOWrapper)
#: Of these dill sends no more than the name.
_STANDARD_STREAMS = (sys.__stdin__, sys.__stdout__, sys.__stderr__)
_LOCKS = (type(Lock()), type(RLock()))
