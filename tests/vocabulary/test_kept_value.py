"""Values that stay in an engine: fetched once, and sent by their handles."""

from __future__ import annotations

import pickle
from concurrent.futures import Future
from typing import Any

from parsl.vocabulary.kept_value import KeptValue, take_collected, values_in_place


def kept(value: Any, fetched: list[Any] | None = None) -> KeptValue:
    def fetch(this: KeptValue) -> Future[Any]:
        if fetched is not None:
            fetched.append(this)
        future: Future[Any] = Future()
        future.set_result(value)
        return future

    return KeptValue("owner", value, fetch)


def test_a_value_is_fetched_once() -> None:
    fetched: list[Any] = []
    value = kept(5, fetched)
    assert value.fetch() is value.fetch()
    assert value.fetch().result() == 5
    assert fetched == [value]


def test_arguments_contain_a_value_in_the_place_of_its_handle() -> None:
    first, second = kept("first"), kept("second")
    payload = pickle.dumps(([first, 1], {"key": second}, first))
    handles = [value.handle for value in take_collected()]
    assert handles == ["first", "second"]
    with values_in_place(["A", "B"]):
        assert pickle.loads(payload) == (["A", 1], {"key": "B"}, "A")
    assert take_collected() == []
