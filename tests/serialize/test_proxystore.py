"""The serializer for ProxyStore, with a store that only keeps what it gets in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from parsl.serialize import deserialize, facade, serialize
from parsl.serialize.payloads import dump_arguments, dump_call, loads
from parsl.serialize.proxystore import ProxyStoreSerializer


class Proxy:
    """Stands for an object in the store."""

    __module__ = "proxystore.proxy"

    def __init__(self, key: int) -> None:
        self.key = key

    def __reduce__(self) -> Any:
        return _proxy, (self.key,)


def _proxy(key: int) -> Proxy:
    return Proxy(key)


class Store:
    def __init__(self) -> None:
        self.objects: list[Any] = []

    def proxy(self, obj: Any) -> Proxy:
        self.objects.append(obj)
        return Proxy(len(self.objects) - 1)


def is_list(obj: Any) -> bool:
    return isinstance(obj, list)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def serializer(store: Store) -> ProxyStoreSerializer:
    return ProxyStoreSerializer(store=store, should_proxy=is_list)


@pytest.fixture
def instead_of_pickle(serializer: ProxyStoreSerializer) -> Iterator[None]:
    before = dict(facade.methods_for_data)
    facade.methods_for_data.clear()
    facade.register_method_for_data(serializer)
    yield
    facade.methods_for_data.clear()
    facade.methods_for_data.update(before)
    del facade.additional_methods_for_deserialization[serializer.identifier]


def test_only_chosen_objects_are_replaced(serializer: ProxyStoreSerializer, store: Store) -> None:
    number, proxy = serializer.deserialize(serializer.serialize((7, [1, 2])))
    assert (number, type(proxy), store.objects) == (7, Proxy, [[1, 2]])


def test_parts_of_other_objects_are_replaced(serializer: ProxyStoreSerializer, store: Store) -> None:
    copy = ProxyStoreSerializer().deserialize(serializer.serialize({"a": ([1], [2])}))
    assert [proxy.key for proxy in copy["a"]] == [0, 1]
    assert store.objects == [[1], [2]]


def test_a_proxy_is_not_put_into_the_store(store: Store) -> None:
    everything = ProxyStoreSerializer(store=store, should_proxy=lambda obj: isinstance(obj, Proxy))
    assert everything.deserialize(everything.serialize((Proxy(3),)))[0].key == 3


def test_without_a_store_the_error_names_both_arguments() -> None:
    with pytest.raises(ValueError, match=r"store=\.\.\., should_proxy=\.\.\."):
        ProxyStoreSerializer().serialize([1])


@pytest.mark.usefixtures("instead_of_pickle")
class TestInsteadOfPickle:
    def test_it_serializes_values(self, store: Store) -> None:
        assert type(deserialize(serialize([1, 2]))) is Proxy
        assert store.objects == [[1, 2]]

    @pytest.mark.parametrize("function", [max, lambda x: x])
    def test_it_serializes_the_arguments_of_calls(self, store: Store, function: Callable[..., Any]) -> None:
        args, kwargs = loads(*dump_arguments(function, ([1], 2), {"x": [3]}))
        assert (type(args[0]), args[1], type(kwargs["x"])) == (Proxy, 2, Proxy)
        _, args, _ = loads(*dump_call(function, ([4],), {}))
        assert type(args[0]) is Proxy
        assert store.objects == [[1], [3], [4]]
