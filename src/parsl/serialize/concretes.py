"""The serializers that come with Parsl."""

from __future__ import annotations

import io
import pickle
import sys
from concurrent.futures import Future
from threading import Lock, RLock
from typing import Any

from parsl.errors import OptionalModuleMissing
from parsl.serialize import by_value
from parsl.serialize.base import PICKLE, SerializerBase


class PickleSerializer(SerializerBase):
    """Pickle, with the classes and functions of scripts by value (cloudpickle)."""

    identifier = PICKLE

    def serialize(self, data: Any) -> bytes:
        return by_value.dumps(data)

    def deserialize(self, body: bytes) -> Any:
        return pickle.loads(body)


class DillSerializer(SerializerBase):
    """Dill, for objects that pickle refuses. Both sides need the package dill.

    Functions of a script travel with only the globals that they use. Open files, futures and held locks are
    refused, because their copies would do harm.
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
            ["dill"],
            "DillSerializer uses it, and Parsl is installed together with it. Install it again: "
            "python -m pip install dill",
        ) from error
    return dill


def _pickler_of(dill: Any) -> Any:
    class Pickler(dill.Pickler):  # type: ignore[misc]
        """Refuses objects whose copies would do harm."""

        def reducer_override(self, obj: object) -> Any:
            reason = _why_not(obj)
            if reason:
                raise pickle.PicklingError(f"{obj!r} cannot be pickled: {reason}")
            return NotImplemented

    return Pickler


def _why_not(obj: object) -> str | None:
    """Return why a copy of an object is useless elsewhere; None if it is not."""
    kind = type(obj)  # unlike isinstance, this does not make a lazy object fetch its target
    if issubclass(kind, Future):
        return "it belongs to this process, and its copy would never complete"
    if kind is memoryview:
        return by_value.NO_VIEW
    if issubclass(kind, _FILES) and not any(obj is stream for stream in _STANDARD_STREAMS):
        return "opening a file for writing again would empty it; pass its name"
    if kind in _LOCKS and repr(obj).startswith("<locked"):
        return "it is held, and its copy would never be released"
    return None


#: Objects that wrap a file of the operating system, unlike files in memory.
_FILES = (io.FileIO, io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.TextIOWrapper)
#: Dill sends only the name of these.
_STANDARD_STREAMS = (sys.__stdin__, sys.__stdout__, sys.__stderr__)
_LOCKS = (type(Lock()), type(RLock()))
