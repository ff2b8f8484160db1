"""Objects for tests to import."""

from __future__ import annotations

from parsl.serialize.base import SerializerBase

LIST: list[int] = []


def uses_a_list() -> list[int]:
    return LIST


class Unpicklable:
    """Pickle cannot do it; `NumberedSerializer` can."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unpicklable) and other.number == self.number

    def __hash__(self) -> int:
        return self.number

    def __reduce__(self) -> str:
        raise TypeError("not by pickle")


class NumberedSerializer(SerializerBase):
    """For lists of `Unpicklable`, and for tuples and dictionaries of them."""

    def serialize(self, data: object) -> bytes:
        if not isinstance(data, tuple) or not all(isinstance(item, Unpicklable) for item in data):
            raise TypeError("not for me")
        return ",".join(str(item.number) for item in data).encode()

    def deserialize(self, payload: bytes) -> object:
        return tuple(Unpicklable(int(text)) for text in payload.decode().split(","))


def number_of(thing: Unpicklable) -> int:
    return thing.number
