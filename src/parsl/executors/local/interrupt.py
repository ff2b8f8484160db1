"""Ending Python code that runs in a thread, by raising an exception in it."""

from __future__ import annotations

from functools import partial
from os import uname
from threading import Lock, Timer, current_thread, get_ident, main_thread

from parsl.vocabulary.app_errors import AppTimeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def walltime_exceeded(name: str, walltime_s: float) -> AppTimeout:
    """Return the error of a task that took longer than its walltime on this host."""
    return AppTimeout(f"App {name} exceeded walltime: {walltime_s:g} seconds on host {uname().nodename}")


class Interruptible:
    """Lets other threads interrupt the calling thread, once, while ``is_open``.

    Python raises the exception when the thread executes its next instruction: code that is in a C function
    is interrupted when it returns from there. As the exception may be raised anywhere, the thread must not
    take a lock that others use while this is open.
    """

    __slots__ = ("_lock", "_thread_id", "is_interrupted", "is_open")

    def __init__(self) -> None:
        self._lock = Lock()
        self._thread_id = get_ident()
        #: Set by the thread itself. An interruption may still arrive after it has been set to False, but not
        #: after :meth:`close`.
        self.is_open = False
        self.is_interrupted = False

    def interrupt(self) -> None:
        """Raise :class:`AppTimeout` in the thread, if this is open and has not been used before."""
        with self._lock:
            if self.is_open and not self.is_interrupted:
                self.is_interrupted = True
                _raise_in_thread(self._thread_id, AppTimeout)

    def close(self) -> None:
        """Prevent further interruptions. May raise :class:`AppTimeout`, for the last time."""
        with self._lock:
            self.is_open = False
        if self.is_interrupted:
            _raise_in_thread(self._thread_id, None)  # withdraws an exception that has not been raised yet


class TimeLimited:
    """A function with a limit on its time, for executors that cannot end a task themselves.

    In the main thread of a process, as in the workers of most engines, calls of the system are interrupted,
    too, such as `time.sleep`. Elsewhere, these end first.
    """

    def __init__(self, func: Callable[..., Any], walltime_s: float) -> None:
        self.func = func
        self.walltime_s = walltime_s
        self.__name__ = getattr(func, "__name__", type(func).__name__)
        self.__doc__ = getattr(func, "__doc__", None)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        thread = Interruptible()
        wake: Callable[[], object] = _do_nothing
        restore: Callable[[], object] = _do_nothing

        def interrupt() -> None:
            thread.interrupt()
            wake()

        timer = Timer(self.walltime_s, interrupt)
        timer.daemon = True
        try:
            wake, restore = _waker()
            timer.start()
            try:
                thread.is_open = True
                return self.func(*args, **kwargs)
            finally:
                thread.close()
        except AppTimeout:
            if thread.is_interrupted:
                raise walltime_exceeded(self.__name__, self.walltime_s) from None
            raise
        finally:
            timer.cancel()
            restore()

    def __parsl_dependencies__(self) -> tuple[object, ...]:
        return self.func, self.walltime_s


def limit_walltime(func: Callable[..., Any], walltime_s: float) -> Callable[..., Any]:
    """Return ``func`` with a limit on its time, unless it enforces a walltime itself, as a bash app does."""
    return func if getattr(func, "enforces_walltime", False) else TimeLimited(func, walltime_s)


def _waker() -> tuple[Callable[[], object], Callable[[], object]]:
    """Return what interrupts a call of the system in this thread, and what undoes the preparations for it.

    A signal does that, if Python has a handler to run, which it does in the main thread. SIGURG is ignored by
    default, so that a late one is harmless.
    """
    import signal

    if current_thread() is not main_thread():
        return _do_nothing, _do_nothing
    before = signal.getsignal(signal.SIGURG)
    if before not in (signal.SIG_DFL, _do_nothing):  # the second one of a function around this one
        return _do_nothing, _do_nothing
    signal.signal(signal.SIGURG, _do_nothing)
    return (
        partial(signal.pthread_kill, get_ident(), signal.SIGURG),
        partial(signal.signal, signal.SIGURG, before),
    )


def _do_nothing(*arguments: object) -> None:
    """As the handler of a signal: an exception that was set for the thread is raised here."""


def _raise_in_thread(thread_id: int, exception: type[BaseException] | None) -> None:
    from ctypes import c_ulong, py_object, pythonapi

    value = py_object(exception) if exception is not None else None
    pythonapi.PyThreadState_SetAsyncExc(c_ulong(thread_id), value)
