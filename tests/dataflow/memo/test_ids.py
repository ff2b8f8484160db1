from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import functools
import os
import pathlib
import pickle
from typing import Any

import pytest

from parsl.data_provider.files import File
from parsl.dataflow.memo.ids import by_name
from parsl.dataflow.memoization import (
    UnknownMemoType,
    id_for_memo,
    id_for_memo_dict,
    id_for_memo_list,
    id_for_memo_pickle,
    id_for_memo_tuple,
)


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Number(enum.IntEnum):
    ONE = 1


@dataclasses.dataclass
class Point:
    x: int
    y: Any = None


Pair = collections.namedtuple("Pair", "a b")


class Unknown:
    pass


def double(x: int) -> int:
    return 2 * x


def halve(x: int) -> float:
    return x / 2


#: Each differs from all the others.
DIFFERENT: list[Any] = [
    None, True, False, 0, 1, -1, 10**30, 0.0, -0.0, 1.0, 1.5, 1j, "", "a", "b", "1", b"", b"a", b"a" * 2000,
    b"b" * 2000, bytearray(b"a"), [], [1], [1, 2], [2, 1], [[1], 2], [[1, 2]], (), (1,), (1, 2), {"a": 1},
    {"a": 2}, {1: 2, "a": 3}, {1}, frozenset({1}), {1, 2}, set(), range(3), range(4), slice(1), slice(2),
    ..., Colour.RED, Colour.BLUE, Number.ONE, Point(1), Point(2), Point(1, [2]), Pair(1, 2), Pair(2, 1),
    pathlib.PurePosixPath("a"), pathlib.PurePosixPath("b"), collections.OrderedDict(a=1),
    {}, ["a", 1], collections.deque([1]), collections.deque([1], 2),
    datetime.date(2020, 1, 1), datetime.timedelta(1), double, halve, len, int, str, Point,
    functools.partial(double, 1), functools.partial(double, 2), File("nowhere/a"), File("nowhere/b"),
    File("http://host/a"), "a".join, "b".join, Point(1).__eq__,
]  # fmt: skip


def test_different_values_differ() -> None:
    ids: dict[bytes, Any] = {}
    for value in DIFFERENT:
        identity = id_for_memo(value)
        assert isinstance(identity, bytes)
        assert identity not in ids, (value, ids[identity])
        ids[identity] = value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({1: 2, "a": 3}, {"a": 3, 1: 2}),
        ({"x", "y", "z"}, {"z", "y", "x"}),
        ([["".join(["a", "b"])], "ab"], [["ab"], "".join(["a", "b"])]),
        (Point(1, {"k": 1}), Point(1, {"k": 1})),
        (b"a" * 5000, b"a" * 5000),
        (File("nowhere/a"), File("nowhere/a")),
    ],
)
def test_equal_values_are_the_same(one: Any, other: Any) -> None:
    assert id_for_memo(one) == id_for_memo(other)


def test_one_value_used_twice_equals_two_equal_values() -> None:
    class Once:
        identity = b"always the same object"

    @id_for_memo.register(Once)
    def _(obj: Once, output_ref: bool = False) -> bytes:
        return obj.identity

    once = Once()
    other = Once()
    other.identity = bytes(bytearray(once.identity))
    assert id_for_memo([once, once]) == id_for_memo([once, other])


@pytest.mark.parametrize(
    ("value", "identity"),
    [
        (None, b"\x80\x04N."),
        (True, b"\x80\x04\x88."),
        (1, b"\x80\x04K\x01."),
        ("a", b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00\x8c\x01a\x94."),
        ([1], b"\x80\x04\x95\x0c\x00\x00\x00\x00\x00\x00\x00]\x94C\x05\x80\x04K\x01.\x94a."),
        ((), b"\x80\x04]\x94."),
        ({}, b"\x80\x04]\x94."),
    ],
)  # fmt: skip
def test_plain_values_are_as_in_upstreams_checkpoints(value: Any, identity: bytes) -> None:
    with by_name():
        assert id_for_memo(value) == identity


def test_named_functions_have_the_same_ids() -> None:
    assert id_for_memo_pickle(1) == id_for_memo(1)
    assert id_for_memo_list([1, "a"]) == id_for_memo([1, "a"])
    assert id_for_memo_tuple((1, "a")) == id_for_memo((1, "a"))
    assert id_for_memo_dict({"a": 1}) == id_for_memo({"a": 1})


class TestFiles:
    def test_input_files_count_by_their_content(self, tmp_path: Any) -> None:
        path = tmp_path / "data"
        path.write_text("one")
        before = id_for_memo(File(path))
        assert id_for_memo(File(path)) == before
        os.utime(path, ns=(1, 1))
        assert id_for_memo(File(path)) != before

    def test_output_files_count_by_their_names(self, tmp_path: Any) -> None:
        path = tmp_path / "data"
        before = id_for_memo(File(path), output_ref=True)
        path.write_text("one")
        assert id_for_memo(File(path), output_ref=True) == before
        assert id_for_memo([File(path)], output_ref=True) == id_for_memo_list([File(path)], True)

    def test_a_copy_of_a_remote_file_is_that_file(self, tmp_path: Any) -> None:
        file = File("http://host/data")
        before = id_for_memo(file)
        file.local_path = str(tmp_path)
        assert id_for_memo(file) == before


class TestUnknownTypes:
    def test_the_error_names_the_type_and_shows_the_lines_that_register_it(self) -> None:
        with pytest.raises(UnknownMemoType) as raised:
            id_for_memo([{"a": Unknown()}])
        assert raised.value.kind is Unknown
        assert isinstance(raised.value, ValueError)
        text = str(raised.value)
        assert "unknown type for memoization" in text
        assert "@id_for_memo.register(Unknown)" in text

    def test_the_lines_work(self) -> None:
        class Known:
            def __repr__(self) -> str:
                return "Known"

        lines = str(UnknownMemoType(Known)).split("\n\n")[1]
        exec("\n".join(line.strip() for line in lines.splitlines()), {"Known": Known})
        assert id_for_memo(Known()) == b"Known"

    def test_a_plain_type_can_be_registered_again(self) -> None:
        from parsl.dataflow.memo import ids as memo_ids

        assert memo_ids.is_plain(["a", 1])
        original = memo_ids.id_for_memo.registry[str]
        try:
            memo_ids.id_for_memo.register(str, lambda obj, output_ref=False: b"a string")
            assert not memo_ids.is_plain(["a", 1])
            assert id_for_memo("a") == id_for_memo("b")
        finally:
            memo_ids.id_for_memo.register(str, original)
            memo_ids.plain_types.add(str)


class TestArrays:
    def test_by_type_shape_and_content(self) -> None:
        numpy = pytest.importorskip("numpy")
        array = numpy.arange(12).reshape(3, 4)
        same = [array, array.copy(), numpy.asfortranarray(array), array[:, ::-1][:, ::-1]]
        assert len({id_for_memo(each) for each in same}) == 1
        changed = array.copy()
        changed[2, 3] = 0
        different = [
            array, changed, array.T, array.reshape(4, 3), array.astype("i4"), array.astype("f8"),
            numpy.array([], dtype="f8"), numpy.array(1), numpy.float32(1),
            numpy.array(["a", None], dtype=object),
        ]  # fmt: skip
        assert len({id_for_memo(each) for each in different}) == len(different)


class Tagged:
    """Identified by whatever it contains."""

    def __init__(self, tag: Any) -> None:
        self.tag = tag


@id_for_memo.register(Tagged)
def _tag(obj: Tagged, output_ref: bool = False) -> Any:
    return obj.tag


class TestRegisteredFunctionsThatReturnOtherTypesThanBytes:
    @pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: (x, x), lambda x: {"a": x}, lambda x: {x}])
    @pytest.mark.parametrize(("tag", "other"), [("one", "two"), (1, 2), (("a", 1), ("a", 2)), ("5", 5)])
    def test_equal_identities_are_the_same_value_and_others_are_not(
        self, wrap: Any, tag: Any, other: Any
    ) -> None:
        assert id_for_memo(wrap(Tagged(tag))) == id_for_memo(wrap(Tagged(tag)))
        assert id_for_memo(wrap(Tagged(tag))) != id_for_memo(wrap(Tagged(other)))

    def test_a_string_is_pickled_as_upstream_does(self) -> None:
        assert id_for_memo([Tagged("one")]) == pickle.dumps(["one"], 4)

    def test_one_string_used_twice_equals_two_equal_strings(self) -> None:
        text = "a longer string"
        twice, equal = [Tagged(text), Tagged(text)], [Tagged(text), Tagged("".join(text))]
        assert id_for_memo(twice) == id_for_memo(equal)

    def test_keys_of_several_types_have_an_order(self) -> None:
        one, two = Tagged("one"), Tagged(b"two")
        assert id_for_memo({one: 1, two: 2}) == id_for_memo({two: 2, one: 1})

    def test_none_is_refused(self) -> None:
        with pytest.raises(TypeError, match="has returned None"):
            id_for_memo([Tagged(None)])
