"""What a serializer is."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class SerializerBase(metaclass=ABCMeta):
    """Plug-in base: one way to turn objects into bytes and back.

    A subclass is registered with `parsl.serialize.facade.register_method_for_data` or `..._for_code`.
    Whoever reads the bytes finds the class by its identifier: it must be importable there, and made without
    arguments.
    """

    #: Stands before the bytes, so that the reader knows whose they are: module and class, if not given.
    identifier: bytes

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "identifier" not in cls.__dict__:
            cls.identifier = f"{cls.__module__} {cls.__qualname__}".encode()

    @abstractmethod
    def serialize(self, data: Any) -> bytes:
        """Turn an object into bytes.

        Raises: any exception when this serializer cannot; the next one is tried then.
        """

    @abstractmethod
    def deserialize(self, payload: bytes) -> Any:
        """Turn the bytes, without their identifier, into an object again."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
