"""A serializer that leaves large objects in a store of the package proxystore, and sends proxies of them."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

from parsl.serialize.base import SerializerBase
from parsl.serialize.by_value import PROTOCOL, ByValuePickler


class ProxyStoreSerializer(SerializerBase):
    """Replaces objects by proxies, each of which gets its object from a store when it is first used.

    Register it in the driver, before other serializers can convert the object::

        serializer = ProxyStoreSerializer(store=store, should_proxy=is_large)
        parsl.serialize.facade.methods_for_data.clear()
        parsl.serialize.facade.register_method_for_data(serializer)

    Args:
        should_proxy: Receives each object, also parts of others; returns whether the store gets it. Needed
            to serialize.
        store: A ``proxystore.store.base.Store``. Needed to serialize.
    """

    def __init__(self, *, should_proxy: Callable[[Any], bool] | None = None, store: Any = None) -> None:
        self._should_proxy = should_proxy
        self._store = store

    def serialize(self, data: Any) -> bytes:
        if self._store is None or self._should_proxy is None:
            raise ValueError(
                "This ProxyStoreSerializer can only deserialize. To serialize, it needs both arguments: "
                "ProxyStoreSerializer(store=..., should_proxy=...)"
            )
        with io.BytesIO() as file:
            _ProxyingPickler(file, self._store.proxy, self._should_proxy).dump(data)
            return file.getvalue()

    def deserialize(self, payload: bytes) -> Any:
        return _ProxyUnpickler(io.BytesIO(payload)).load()


class _ProxyingPickler(ByValuePickler):
    """Writes proxies as persistent ids: the only hook of pickle that sees lists and strings too."""

    def __init__(
        self, file: io.BytesIO, proxy: Callable[[Any], Any], should_proxy: Callable[[Any], bool]
    ) -> None:
        super().__init__(file, PROTOCOL)
        self._proxy = proxy
        self._should_proxy = should_proxy

    def persistent_id(self, obj: Any) -> bytes | None:
        if _is_proxy(obj) or not self._should_proxy(obj):
            return None
        return pickle.dumps(self._proxy(obj), PROTOCOL)


class _ProxyUnpickler(pickle.Unpickler):
    def persistent_load(self, pid: Any) -> Any:
        return pickle.loads(pid)


def _is_proxy(obj: Any) -> bool:
    """Whether an object is a proxy already; its own methods would open it."""
    return any(kind.__module__ == "proxystore.proxy" for kind in type(obj).__mro__)
