"""Errors of serialization and deserialization.

ParslError
├── SerializationError       an object could not be turned into bytes
├── DeserializationError     bytes could not be turned back into an object
└── DeserializerPluginError  the bytes name a serializer that is not known here
"""

from __future__ import annotations

from parsl.errors import ParslError, ReasonError


class SerializationError(ParslError):
    """An object, described by ``fname``, could not be pickled."""

    def __init__(self, fname: str) -> None:
        super().__init__(fname)
        self.fname = fname
        #: The error of each serializer, if several have been tried.
        self.reason = ""
        self.troubleshooting = (
            "Pass only objects that can be pickled: no sockets, generators, held locks, or files that are "
            "open for writing. (The package dill, which is installed together with Parsl, pickles locks that "
            "are not held, and some other objects; driver and workers need it for these.)"
        )

    def __str__(self) -> str:
        return f"{self.fname} cannot be serialized. {self.troubleshooting}"


class DeserializationError(ReasonError):
    """Bytes could not be turned back into an object."""

    message = "Deserialization failed: {}"


class DeserializerPluginError(ParslError):
    """The bytes begin with a header that no serializer is registered for."""

    def __init__(self, header: bytes) -> None:
        super().__init__(header)
        self.header = header

    def __str__(self) -> str:
        return f"No serializer is registered for the header {self.header!r} in this process."
