"""Objects with the name of their serializer, and buffers of several of them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import parsl.serialize
from parsl.errors import OptionalModuleMissing
from parsl.serialize import deserialize, facade, pack_apply_message, serialize, unpack_apply_message
from parsl.serialize.base import SerializerBase
from parsl.serialize.concretes import DillCallableSerializer, DillSerializer, PickleSerializer
from parsl.serialize.errors import DeserializationError, DeserializerPluginError, SerializationError
from parsl.serialize.payloads import dump_arguments, dump_call, loads
from tests.serialize.helpers import NumberedSerializer, Unpicklable, number_of

THINGS = (Unpicklable(3), Unpicklable(4))


@pytest.fixture
def fresh_registry() -> Iterator[None]:
    """Remove the registrations of a test at its end."""
    tables = (facade.methods_for_code, facade.methods_for_data, facade.known_serializers)
    before = [dict(table) for table in tables]
    yield
    for table, content in zip(tables, before, strict=True):
        table.clear()
        table.update(content)


@pytest.fixture
def with_plugin(fresh_registry: None) -> None:
    facade.register_method_for_data(NumberedSerializer())


@given(st.lists(st.binary()))
def test_buffers_are_unpacked_as_they_were_packed(buffers: list[bytes]) -> None:
    assert facade.unpack_buffers(facade.pack_buffers(buffers)) == buffers


def test_the_layout_of_buffers_is_size_line_end_and_bytes() -> None:
    assert facade.pack_buffers([b"abc", b"", b"x\n"]) == b"3\nabc0\n2\nx\n"


@given(st.binary(min_size=1))
def test_malformed_bytes_are_refused(data: bytes) -> None:
    for read in (deserialize, unpack_apply_message):
        with pytest.raises((DeserializationError, DeserializerPluginError)):
            read(data)
    try:
        facade.unpack_buffers(data)
    except DeserializationError:
        pass


@pytest.mark.parametrize("obj", [None, 3, "text", [1, {"a": b"c"}], len, Exception])
def test_objects_arrive_unchanged(obj: object) -> None:
    assert deserialize(serialize(obj)) == obj


def test_functions_of_scripts_travel_by_value() -> None:
    n = 2
    assert deserialize(serialize(lambda x: x + n))(1) == 3


def test_a_call_is_packed_and_unpacked() -> None:
    assert unpack_apply_message(pack_apply_message(len, ([1],), {"a": 2})) == [len, ([1],), {"a": 2}]


def test_the_worker_opens_a_packed_call_where_it_expects_a_pickle() -> None:
    function, args, kwargs = loads(memoryview(pack_apply_message(max, (1, 5), {})))
    assert function(*args, **kwargs) == 5


def test_an_object_that_no_serializer_accepts_is_an_error() -> None:
    with pytest.raises(SerializationError, match="generator"):
        serialize(i for i in ())


def test_a_packed_call_must_have_three_parts() -> None:
    with pytest.raises(DeserializationError, match="3 parts, these bytes have 1"):
        unpack_apply_message(facade.pack_objects([1]))


def test_large_objects_are_mentioned_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    serialize(b"x" * 100, buffer_threshold=50)
    pack_apply_message(len, (b"x" * 100,), {}, buffer_threshold=50)
    assert [record.message.split(" has ")[0] for record in caplog.records] == [
        "a serialized bytes",
        "a packed call",
    ]


class TestPlugins:
    def test_get_objects_that_pickle_refuses(self, with_plugin: None) -> None:
        payload = serialize(THINGS)
        assert payload.startswith(b"tests.serialize.helpers NumberedSerializer\n")
        assert deserialize(payload) == THINGS
        assert serialize([1]).startswith(b"01\n")

    def test_are_found_by_name_in_another_process(self, with_plugin: None) -> None:
        payload = serialize(THINGS)
        del facade.known_serializers[NumberedSerializer.identifier]
        assert deserialize(payload) == THINGS

    def test_may_carry_the_arguments_of_a_task(self, with_plugin: None) -> None:
        function, args, kwargs = loads(*dump_call(number_of, THINGS[:1], {}))
        assert function(*args, **kwargs) == 3
        args, kwargs = loads(*dump_arguments(number_of, THINGS[:1], {}))
        assert (args, kwargs) == (THINGS[:1], {})

    def test_do_not_hide_the_culprit(self, with_plugin: None) -> None:
        with pytest.raises(SerializationError, match="Argument 0 of number_of"):
            dump_call(number_of, ((i for i in ()),), {})

    def test_for_code_get_functions(self, fresh_registry: None) -> None:
        class ForFunctions(SerializerBase):
            identifier = b"FN"

            def serialize(self, data: Any) -> bytes:
                return b"function"

            def deserialize(self, payload: bytes) -> Any:
                return payload

        facade.register_method_for_code(ForFunctions())
        generator = (i for i in ())

        def generating() -> object:
            return generator

        assert deserialize(serialize(generating)) == b"function"
        with pytest.raises(SerializationError):
            serialize(generator)

    @pytest.mark.parametrize(
        "header",
        [b"zz", b"no.such.module Name", b"tests.serialize.helpers Nothing", b"builtins list", b"\xff \xff"],
    )
    def test_that_are_not_here_are_named(self, header: bytes) -> None:
        with pytest.raises(DeserializerPluginError) as caught:
            deserialize(header + b"\nbody")
        assert caught.value.header == header


def test_the_identifiers_are_those_of_old() -> None:
    kinds = (PickleSerializer, DillSerializer, DillCallableSerializer)
    assert [kind.identifier for kind in kinds] == [b"01", b"02", b"C2"]
    assert repr(PickleSerializer()) == "PickleSerializer()"


def test_dill_is_imported_only_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dill", None)
    serializer = DillSerializer()
    for use in (lambda: serializer.serialize(1), lambda: serializer.deserialize(b"x")):
        with pytest.raises(OptionalModuleMissing, match="pip install dill"):
            use()


def test_dill_serializes_objects_that_pickle_refuses() -> None:
    lock = threading.Lock()
    assert type(deserialize(serialize(lock))) is type(lock)


def test_the_package_offers_four_names_and_no_others() -> None:
    assert sorted(parsl.serialize.__all__) == [
        "deserialize",
        "pack_apply_message",
        "serialize",
        "unpack_apply_message",
    ]
    with pytest.raises(AttributeError, match="nothing"):
        parsl.serialize.nothing  # noqa: B018
