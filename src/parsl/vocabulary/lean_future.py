"""A ``concurrent.futures.Future`` that costs little until a thread waits for it.

The constructor of the standard future makes a condition variable, its lock and three lists: 2 KB, and most of
the time of a short task. Here they exist only once a thread waits. Everything else is the standard
future: ``isinstance``, ``concurrent.futures.wait``, ``as_completed``, ``asyncio.wrap_future``.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, InvalidStateError
from logging import getLogger

from parsl.vocabulary.kept_value import KeptValue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, Final, Literal, NoReturn, TypeVar

    R = TypeVar("R")

    Callback = Callable[[Future[Any]], object]
    #: A future keeps no callback, one, or a list of them.
    Callbacks = Callback | list[Callback] | None
    FinalState = Literal["FINISHED", "CANCELLED", "CANCELLED_AND_NOTIFIED"]

logger = getLogger(__name__)

# The standard library's names of the states; its functions compare against them.
_PENDING: Final = "PENDING"
_RUNNING: Final = "RUNNING"
_CANCELLED: Final = "CANCELLED"
_CANCELLED_AND_NOTIFIED: Final = "CANCELLED_AND_NOTIFIED"
_FINISHED: Final = "FINISHED"
_DONE = (_FINISHED, _CANCELLED_AND_NOTIFIED, _CANCELLED)

#: Guards every future without a condition, and the creation of conditions. Threads hold it for a few
#: instructions. It is reentrant, because a signal handler or a finalizer may run in between.
_LOCK = threading.RLock()

os.register_at_fork(after_in_child=_LOCK._at_fork_reinit)  # type: ignore[attr-defined]


class LeanFuture(Future["R"]):
    """A future whose lock and condition are made when the first thread waits.

    Any thread may use it. One rule keeps it correct: as long as ``_cond`` is None, state and callbacks change
    only under the module's lock. A condition is made under the same lock, is never removed, and from then on
    guards state and callbacks. Code that holds the condition, such as the standard library's functions,
    therefore sees a constant state.

    ``await future`` works inside asyncio. Cancelling the coroutine that awaits does *not* cancel the future,
    because others may need its result. Call ``cancel()`` to cancel it.
    """

    __slots__ = ("_cond", "_done_callbacks", "_exception", "_result", "_state", "_waiters")

    _state: str
    _result: R | None
    _exception: BaseException | None
    _cond: threading.Condition | None
    _waiters: list[Any]
    _done_callbacks: Callbacks

    def __init__(self) -> None:
        # Future.__init__ would make the objects that this class avoids.
        self._state = _PENDING
        self._result = None
        self._exception = None
        self._cond = None
        self._done_callbacks = None

    @property
    def _condition(self) -> threading.Condition:  # type: ignore[override]
        """The condition that the standard library expects, made on demand together with the waiters."""
        if self._cond is None:
            condition = threading.Condition()
            with _LOCK:
                if self._cond is None:
                    self._waiters = []
                    self._cond = condition
        return self._cond

    def done(self) -> bool:
        """Whether the future has a result or an exception, or was cancelled."""
        return self._state in _DONE

    def running(self) -> bool:
        """Whether the call is known to be executing."""
        return self._state == _RUNNING

    def cancelled(self) -> bool:
        """Whether the future was cancelled."""
        return self._state in (_CANCELLED, _CANCELLED_AND_NOTIFIED)

    def result(self, timeout: float | None = None) -> R:
        """Return the result, and wait for it if necessary; ``timeout`` is in seconds, None for no limit."""
        if self._state == _FINISHED and self._exception is None:
            result: Any = self._result
        else:
            self._check_wait()
            result = super().result(timeout)
        if type(result) is KeptValue:
            result = self._open(result, timeout)
        return result  # type: ignore[no-any-return]

    def _open(self, kept: KeptValue, timeout: float | None) -> Any:
        """Return what :meth:`result` returns for a result that has stayed elsewhere."""
        return kept

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the exception that the call raised, or None; waits and raises like :meth:`result`."""
        if self._state == _FINISHED:
            return self._exception
        self._check_wait()
        return super().exception(timeout)

    def _check_wait(self) -> None:
        """Raise an error if waiting would be in vain; called before a thread may wait."""

    def add_done_callback(self, fn: Callback) -> None:
        """Call ``fn(self)`` once when the future is done, immediately if it is done already.

        An exception that ``fn`` raises is logged.
        """
        while self._state not in _DONE:
            condition = self._cond
            with _LOCK if condition is None else condition:
                if condition is not self._cond or self._state in _DONE:
                    continue  # a thread has made the condition or finished the future meanwhile
                present = self._done_callbacks
                if present is None:
                    self._done_callbacks = fn
                elif type(present) is list:
                    present.append(fn)
                else:
                    self._done_callbacks = [present, fn]  # type: ignore[list-item]
                return
        self._run_callbacks(fn)

    def set_result(self, result: R) -> None:
        """Finish with a result; InvalidStateError if the future is done. For the code that runs the call."""
        if (callbacks := self._finish(_FINISHED, result, None)) is not None:
            self._run_callbacks(callbacks)

    def set_exception(self, exception: BaseException | None) -> None:
        """Finish with an exception, as :meth:`set_result` does with a result."""
        if (callbacks := self._finish(_FINISHED, None, exception)) is not None:
            self._run_callbacks(callbacks)

    def set_cancelled(self) -> None:
        """Finish as cancelled, even while running; for the code that has ended the call."""
        if (callbacks := self._finish(_CANCELLED_AND_NOTIFIED, None, None)) is not None:
            self._run_callbacks(callbacks)

    def cancel(self) -> bool:
        """Cancel the call unless it is running or done. Returns whether it is cancelled."""
        if self._state in (_RUNNING, _FINISHED):
            return False
        try:
            callbacks = self._finish(_CANCELLED, None, None, only_pending=True)
        except InvalidStateError:
            return self.cancelled()
        if callbacks is not None:
            self._run_callbacks(callbacks)
        return True

    def set_running_or_notify_cancel(self) -> bool:
        """Mark the future as running; returns False if it was cancelled. For the code that runs the call."""
        if self._cond is None:
            with _LOCK:
                if self._cond is None and self._state == _PENDING:
                    self._state = _RUNNING
                    return True
        return super().set_running_or_notify_cancel()

    def __await__(self) -> Generator[Any, None, R]:
        import asyncio

        return asyncio.shield(asyncio.wrap_future(self)).__await__()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self!r} cannot be pickled: it belongs to this process. Pass its result() instead")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x} {self._outcome()}>"

    def _outcome(self) -> str:
        state = self._state
        if state != _FINISHED:
            return f"state={state.lower()}"
        if self._exception is not None:
            return f"state=finished raised {type(self._exception).__name__}"
        return f"state=finished returned {type(self._result).__name__}"

    def _finish(
        self, state: FinalState, result: R | None, exception: BaseException | None, only_pending: bool = False
    ) -> Callbacks:
        """Enter a final state and wake the waiting threads. Returns the callbacks, which the caller must run.

        InvalidStateError: the future is done already, or running although it must be pending.
        """
        while True:
            condition = self._cond
            with _LOCK if condition is None else condition:
                if condition is not self._cond:
                    continue  # a thread has made the condition meanwhile
                old = self._state
                if old in _DONE or (only_pending and old != _PENDING):
                    raise InvalidStateError(f"{old}: {self!r}")
                self._result = result
                self._exception = exception
                callbacks = self._done_callbacks
                self._done_callbacks = None
                self._state = state  # last, because readers without a lock read it first
                if condition is not None:
                    self._notify_waiters(state, exception)
                return callbacks

    def _notify_waiters(self, state: FinalState, exception: BaseException | None) -> None:
        for waiter in self._waiters:
            if state == _CANCELLED_AND_NOTIFIED:
                waiter.add_cancelled(self)
            elif state == _FINISHED and exception is not None:
                waiter.add_exception(self)
            elif state == _FINISHED:
                waiter.add_result(self)
        self._condition.notify_all()

    def _run_callbacks(self, callbacks: Callbacks) -> None:
        if type(callbacks) is list:
            for callback in callbacks:
                self._run_callbacks(callback)
            return
        try:
            callbacks(self)  # type: ignore[misc, operator]
        except BaseException as error:
            if not isinstance(error, Exception) and threading.current_thread() is threading.main_thread():
                raise  # Ctrl-C, most likely
            # sys.exit() in a callback must not end the thread that delivers all results.
            logger.exception("exception calling callback for %r", self)


def done_future(result: Any, error: BaseException | None = None) -> LeanFuture[Any]:
    """Return a future that is done, with a result or an exception."""
    future: LeanFuture[Any] = LeanFuture()
    future._finish(_FINISHED, result, error)
    return future
