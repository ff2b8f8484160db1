"""A result that stays where its task ran until it is needed elsewhere."""

from __future__ import annotations

import threading
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from concurrent.futures import Future
    from typing import Any


class KeptValue:
    """What the future of an executor completes with when the result has stayed in the executor's engine.

    The kernel hands it on to a task of the same executor, unopened. The executor sends its ``handle`` in the
    place of the value, and the engine moves the value to where that task runs. In all other cases the kernel
    fetches the value first, and never waits for it in a thread that delivers results.

    Args:
        owner: The executor.
        handle: What the executor needs to find the value.
        fetch: Called with this object when the value is needed. It returns at once, with a future of the
            value. A thread completes that future which neither executes nor awaits anything of this kernel.
    """

    __slots__ = ("__weakref__", "_fetch", "_fetched", "handle", "owner")

    def __init__(self, owner: object, handle: Any, fetch: Callable[[KeptValue], Future[Any]]) -> None:
        self.owner = owner
        self.handle = handle
        self._fetch = fetch
        self._fetched: Future[Any] | None = None

    def fetch(self) -> Future[Any]:
        """Return the future of the value, which is fetched once. Any thread may call this."""
        with _LOCK:
            if self._fetched is None:
                self._fetched = self._fetch(self)
            return self._fetched

    def __reduce__(self) -> tuple[Any, ...]:
        kept = _thread.collected
        for index, other in enumerate(kept):
            if other is self:
                return _value_of, (index,)
        kept.append(self)
        return _value_of, (len(kept) - 1,)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {getattr(self.owner, 'label', self.owner)!r}>"


class _ThreadState(threading.local):
    """What one thread pickles, and what it unpickles."""

    def __init__(self) -> None:
        self.collected: list[KeptValue] = []
        self.values: Sequence[Any] = ()


_LOCK = threading.Lock()
_thread = _ThreadState()


def take_collected() -> list[KeptValue]:
    """Return the kept values that this thread has pickled since the last call, in their order."""
    collected = _thread.collected
    if collected:
        _thread.collected = []
    return collected


@contextmanager
def values_in_place(values: Sequence[Any]) -> Generator[None, None, None]:
    """Unpickle, in this thread, arguments that contain kept values, which get these values in that order."""
    _thread.values = values
    try:
        yield
    finally:
        _thread.values = ()


def _value_of(index: int) -> Any:
    return _thread.values[index]
