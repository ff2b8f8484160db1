"""The interface of serializers."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class SerializerBase(metaclass=ABCMeta):
    """Plug-in base: converts objects into bytes and back.

    Register a subclass with `parsl.serialize.facade.register_method_for_data` or `..._for_code`. The process
    that reads the bytes finds the class by its identifier: the class must be importable there, and its
    constructor must need no arguments.
    """

    #: Precedes the bytes and names their serializer: by default the names of module and class.
    identifier: bytes

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "identifier" not in cls.__dict__:
            cls.identifier = f"{cls.__module__} {cls.__qualname__}".encode()

    @abstractmethod
    def serialize(self, data: Any) -> bytes:
        """Convert an object into bytes.

        Raises:
            Exception: This serializer cannot convert the object; the next one is tried.
        """

    @abstractmethod
    def deserialize(self, payload: bytes) -> Any:
        """Convert the bytes, without their identifier, back into an object."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


#: The identifier of plain pickle.
PICKLE = b"01"
#: What converts functions, and other objects, in the order of the attempts: serializers by identifier.
#: `parsl.serialize.facade` puts pickle first; they are empty until something needs that module.
methods_for_code: dict[bytes, SerializerBase] = {}
methods_for_data: dict[bytes, SerializerBase] = {}
