"""Errors of turning objects into bytes and back.

ParslError
├── SerializationError       an object could not be turned into bytes
├── DeserializationError     bytes could not be turned back into an object
└── DeserializerPluginError  the bytes name a serializer that is not known here
"""

from __future__ import annotations

from parsl.errors import ParslError


class SerializationError(ParslError):
    """An object could not be pickled.

    Args:
        fname: what could not be serialized, as text.
    """

    def __init__(self, fname: str) -> None:
        super().__init__(fname)
        self.fname = fname
        #: What each serializer said, where more than one has been tried.
        self.reason = ""
        self.troubleshooting = (
            "Pass only objects that pickle: no open files, sockets, generators or locks. "
            "(The package dill can do locks that nobody holds, and some other objects, where it is "
            "installed: for the driver and the workers.)"
        )

    def __str__(self) -> str:
        return f"{self.fname} cannot be serialized. {self.troubleshooting}"


class DeserializationError(ParslError):
    """Bytes could not be turned back into an object.

    Args:
        reason: what went wrong, as text.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"Deserialization failed: {self.reason}"


class DeserializerPluginError(ParslError):
    """The bytes begin with a header that no serializer is registered for.

    Args:
        header: the unknown header.
    """

    def __init__(self, header: bytes) -> None:
        super().__init__(header)
        self.header = header

    def __str__(self) -> str:
        return f"No serializer is registered for the header {self.header!r} in this process."
