"""Calls, values and exceptions on their way between driver and worker."""

from __future__ import annotations

import io
import pickle
import re
import sys
import threading
import traceback
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.app.errors import AppException
from parsl.serialize import copies
from parsl.serialize.copies import CopiedByDillWarning
from parsl.serialize.errors import DeserializationError, SerializationError
from parsl.serialize.payloads import (
    APART_LIMIT,
    MAX_APART,
    dump_arguments,
    dump_call,
    dump_exception,
    dump_value,
    dumps,
    load_exception,
    load_value,
    loads,
)

#: Neither pickle nor dill takes it.
UNPICKLABLE = (i for i in ())
LOCK = threading.Lock()

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(), inner)
        | st.tuples(inner, inner)
        | st.frozensets(st.text())
    ),
)


class Array:
    """As numpy's arrays: its content travels apart where the pickler allows."""

    def __init__(self, content: bytearray) -> None:
        self.content = content

    def __reduce_ex__(self, protocol: Any) -> Any:
        return Array, (pickle.PickleBuffer(self.content),)


class TwoArguments(Exception):
    def __init__(self, code: int, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


class WithLock(Exception):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock, self.number = threading.Lock(), 7


class KillsPicklers(Exception):
    def __reduce__(self) -> Any:
        raise SystemExit("no")

    def __str__(self) -> str:
        raise KeyboardInterrupt


class IsNoException(Exception):
    def __reduce__(self) -> Any:
        return dict, ()


class FailsHere:
    def __reduce__(self) -> Any:
        return int, ("not a number",)


def sent(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as raised:
        return load_exception(dump_exception(raised))


@given(plain)
def test_values_arrive_unchanged(value: object) -> None:
    assert load_value(*dump_value(value)) == value


@given(st.lists(plain, max_size=3).map(tuple), st.dictionaries(st.text(), plain, max_size=3))
def test_arguments_arrive_unchanged(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    assert loads(*dump_arguments(len, args, kwargs)) == (args, kwargs)
    assert loads(*dump_call(len, args, kwargs)) == (len, args, kwargs)


def test_large_buffers_travel_apart_without_a_copy() -> None:
    content = bytearray(APART_LIMIT)
    payload, buffers = dump_value([Array(content)])
    assert len(payload) < 1000
    assert [memoryview(buffer).obj for buffer in buffers] == [content]
    assert load_value(payload, buffers)[0].content == content


def test_small_buffers_travel_in_the_pickle() -> None:
    payload, buffers = dumps([Array(bytearray(100)) for _ in range(1000)])
    assert buffers == []
    assert len(loads(payload)) == 1000


def test_the_number_of_buffers_is_limited() -> None:
    arrays = [Array(bytearray(APART_LIMIT)) for _ in range(MAX_APART + 10)]
    payload, buffers = dumps(arrays)
    assert len(buffers) == MAX_APART
    assert [array.content for array in loads(payload, buffers)] == [array.content for array in arrays]


def test_numeric_buffers_are_writable_on_both_paths() -> None:
    for size in (10, APART_LIMIT):
        payload, buffers = dumps(Array(bytearray(size)))
        array = loads(payload, [bytearray(buffer) for buffer in buffers])
        memoryview(array.content)[0] = 1


@pytest.mark.parametrize(
    ("args", "kwargs", "words"),
    [
        ((1, UNPICKLABLE), {}, "Argument 1 of test_call"),
        ((1,), {"key": UNPICKLABLE}, "Argument 'key' of test_call"),
        (([UNPICKLABLE],), {}, "Argument 0 of test_call, of type builtins.list"),
    ],
)
@pytest.mark.parametrize("dump", [dump_arguments, dump_call])
def test_the_error_names_the_argument_to_change(dump: Any, args: Any, kwargs: Any, words: str) -> None:
    def test_call() -> None: ...

    with pytest.raises(SerializationError, match=words) as caught:
        dump(test_call, args, kwargs)
    assert isinstance(caught.value.__cause__, TypeError)


def test_the_error_names_the_function_that_cannot_be_pickled() -> None:
    generator = (i for i in ())

    def test_call() -> object:
        return generator

    with pytest.raises(SerializationError, match="The function test_call"):
        dump_call(test_call, (1,), {})


def test_the_error_names_the_type_of_a_result_that_cannot_be_pickled() -> None:
    with pytest.raises(SerializationError, match=r"result of type builtins\.generator"):
        dump_value(UNPICKLABLE)


@pytest.mark.parametrize("view", [memoryview(b"abc"), [memoryview(b"abc")], (LOCK, memoryview(b"abc"))])
def test_a_memoryview_is_refused_with_advice(view: Any) -> None:
    with pytest.raises(SerializationError, match=r"task's result .*memoryview"):
        dump_value(view)
    with pytest.raises(SerializationError, match=r"Argument 0 of len.*memory at.*bytes\(view\)"):
        dump_arguments(len, (view,), {})


def test_a_binary_file_that_is_open_for_reading_is_opened_again_at_the_same_position(tmp_path: Path) -> None:
    path = tmp_path / "in.bin"
    path.write_bytes(b"abcdef")
    with open(path, "rb") as file:
        file.seek(2)
        ((again,), _), result = loads(*dump_arguments(len, (file,), {})), load_value(*dump_value(file))
        assert file.read() == b"cdef"
    for each in (again, result):
        with each:
            assert (type(each), each.read()) == (io.BufferedReader, b"cdef")


class TestDill:
    """Dill serializes what pickle refuses. It is installed with Parsl."""

    def test_is_a_dependency(self) -> None:
        project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
        core = re.search(r"^dependencies = \[\n(.*?)^\]", project, re.MULTILINE | re.DOTALL)
        assert core is not None
        assert '"dill>=' in core[1]

    def test_pickles_objects_that_pickle_refuses(self) -> None:
        def locked(n: int) -> int:
            with LOCK:
                return n + 1

        function, args, kwargs = loads(*dump_call(locked, (LOCK,), {"n": 2}))
        assert (function(1), type(args[0]), kwargs) == (2, type(LOCK), {"n": 2})
        (lock,), _ = loads(*dump_arguments(locked, (LOCK,), {}))
        assert type(lock) is type(load_value(*dump_value(LOCK))) is type(LOCK)
        assert load_value(*dump_value([1, LOCK]))[0] == 1

    def test_makes_no_copies_of_futures(self) -> None:
        with pytest.raises(SerializationError, match="Argument 0 of len"):
            dump_arguments(len, ([LOCK, Future()],), {})

    @pytest.mark.parametrize("mode", ["w", "a", "r+", "wb", "r+b"])
    def test_opens_no_file_again(self, mode: str, tmp_path: Path) -> None:
        path = tmp_path / "out.txt"
        path.write_text("before")
        with open(path, mode) as file:
            with pytest.raises(SerializationError, match=r"Argument 1 of len.*pass its name"):
                dump_arguments(len, (LOCK, [LOCK, file]), {})
            with pytest.raises(SerializationError, match=r"result of type .*pass its name"):
                dump_value(file)

    def test_pickles_files_in_memory_and_standard_streams(self) -> None:
        sent = [LOCK, io.StringIO("text"), io.BytesIO(b"bytes"), sys.__stderr__]
        (arrived,), _ = loads(*dump_arguments(len, (sent,), {}))
        assert [arrived[1].read(), arrived[2].read()] == ["text", b"bytes"]
        assert arrived[3] is sys.__stderr__

    @pytest.mark.parametrize("lock", [threading.Lock(), threading.RLock(), threading.Condition()])
    def test_makes_no_copies_of_locks_that_are_held(self, lock: Any) -> None:
        with lock, pytest.raises(SerializationError, match=r"Argument 1 of len.*it is held"):
            dump_arguments(len, (LOCK, {"lock": lock}), {})
        dump_arguments(len, (LOCK, {"lock": lock}), {})

    def test_names_a_function_that_uses_a_held_lock(self) -> None:
        held = threading.Lock()

        def locked() -> None:
            with held:
                pass

        with held, pytest.raises(SerializationError, match=r"The function locked.*it is held"):
            dump_call(locked, (LOCK,), {})

    def test_causes_one_warning(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(copies, "has_warned", False)
        with pytest.warns(CopiedByDillWarning, match=r"thread\.lock.*has a copy") as caught:
            _ = [dump_arguments(len, (LOCK,), {}) for _ in range(2)]
        assert len(caught) == 1

    def test_is_named_where_it_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "dill", None)
        for dump in (dump_value, lambda lock: dump_arguments(len, (lock,), {})):
            with pytest.raises(SerializationError, match=r"thread\.lock.*The package dill"):
                dump(LOCK)


def test_a_result_that_cannot_be_unpickled_is_reported() -> None:
    with pytest.raises(DeserializationError, match="cannot be unpickled here: ValueError"):
        load_value(*dump_value(FailsHere()))


@pytest.mark.parametrize(
    ("error", "attributes"),
    [
        (ValueError("x"), {}),
        (TwoArguments(3, "bad"), {"code": 3}),
        (FileNotFoundError(2, "No such file", "a.txt"), {"filename": "a.txt"}),
        (WithLock("x"), {"number": 7}),
        (SystemExit(3), {"code": 3}),
        (KeyboardInterrupt(), {}),
    ],
)
def test_exceptions_arrive_with_their_type_and_traceback(error: Any, attributes: Any) -> None:
    arrived = sent(error)
    assert type(arrived) is type(error)
    assert arrived.args == error.args
    assert {name: getattr(arrived, name) for name in attributes} == attributes
    assert "in sent" in "".join(traceback.format_tb(arrived.__traceback__))


@pytest.mark.parametrize(
    ("error", "words"), [(KillsPicklers("a"), "KillsPicklers"), (IsNoException("b"), "not an exception")]
)
def test_an_exception_that_cannot_be_pickled_arrives_as_its_description(error: Any, words: str) -> None:
    arrived = sent(error)
    assert isinstance(arrived, AppException)
    assert words in str(arrived)
    assert "in sent" in str(arrived)


def test_a_cause_that_cannot_be_pickled_does_not_affect_the_others() -> None:
    error = ValueError("outer")
    error.__cause__ = KillsPicklers()
    error.__cause__.__cause__ = TwoArguments(1, "inner")
    arrived: Any = sent(error)
    assert type(arrived) is ValueError
    assert isinstance(arrived.__cause__, AppException)
    assert isinstance(arrived.__cause__.__cause__, TwoArguments)


def test_malformed_bytes_in_place_of_an_exception_become_one() -> None:
    for payload in (b"rubbish", b"", pickle.dumps(3), pickle.dumps([3]), pickle.dumps([])):
        assert isinstance(load_exception(payload), Exception)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups came with Python 3.11")
class TestGroups:
    def test_members_arrive_whole(self) -> None:
        inner = ExceptionGroup("inner", [KeyError("k")])  # noqa: F821
        arrived: Any = sent(ExceptionGroup("all", [TwoArguments(1, "a"), KillsPicklers(), inner]))  # noqa: F821
        assert arrived.message == "all"
        one, other, group = arrived.exceptions
        assert (type(one), one.code) == (TwoArguments, 1)
        assert isinstance(other, AppException)
        assert type(group.exceptions[0]) is KeyError

    def test_a_cyclic_exception_group_ends(self) -> None:
        member = ValueError("member")
        group = ExceptionGroup("all", [member])  # noqa: F821
        member.__context__ = group
        assert isinstance(sent(group), BaseException)


@given(st.lists(st.sampled_from(["cause", "context", "none"]), max_size=30))
def test_chains_of_exceptions_arrive_unchanged(links: list[str]) -> None:
    error = first = ValueError(0)
    for number, link in enumerate(links, 1):
        following = KeyError(number)
        if link == "cause":
            error.__cause__ = following
        elif link == "context":
            error.__context__ = following
        else:
            break
        error = following
    here: Any = first
    there: Any = load_exception(dump_exception(first))
    for _ in range(20):
        assert type(here) is type(there)
        assert here.args == there.args
        assert here.__suppress_context__ == there.__suppress_context__
        here, there = here.__cause__ or here.__context__, there.__cause__ or there.__context__
        if here is None or there is None:
            break
