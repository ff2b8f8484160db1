"""Finding the futures in a task's arguments, and replacing them by their results.

The shallow resolver, which is the default, finds arguments that are futures themselves. The deep one also
searches lists, tuples, sets, frozensets and dicts (their keys and values), and their contents. For both, the
items of the ``inputs`` keyword argument are arguments of their own.
"""

from __future__ import annotations

from concurrent.futures import Future

from parsl.dataflow.futures import unopened
from parsl.vocabulary.dataflow_errors import DataFlowException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, TypeGuard

__all__ = [
    "DEEP_DEPENDENCY_RESOLVER",
    "SHALLOW_DEPENDENCY_RESOLVER",
    "DependencyResolver",
    "deep_traverse_to_gather",
    "deep_traverse_to_unwrap",
    "shallow_traverse_to_gather",
    "shallow_traverse_to_unwrap",
]


class DependencyResolver:
    """Finds and replaces the futures in one argument.

    Args:
        traverse_to_gather: A function that returns the futures in an argument.
        traverse_to_unwrap: A function that returns an argument, whose futures are all done, with results in
            the place of futures. It must not change the argument.
    """

    __slots__ = ("traverse_to_gather", "traverse_to_unwrap")

    def __init__(
        self,
        traverse_to_gather: Callable[[object], Sequence[Future[Any]]],
        traverse_to_unwrap: Callable[[object], object],
    ) -> None:
        self.traverse_to_gather = traverse_to_gather
        self.traverse_to_unwrap = traverse_to_unwrap

    def __repr__(self) -> str:
        names = (self.traverse_to_gather, self.traverse_to_unwrap)
        return f"{type(self).__name__}({', '.join(getattr(name, '__name__', repr(name)) for name in names)})"


def shallow_traverse_to_gather(o: object) -> Sequence[Future[Any]]:
    """Return the argument itself if it is a future."""
    return [o] if _is_future(o) else []


def shallow_traverse_to_unwrap(o: object) -> object:
    """Return the result of a future, and any other argument as it is."""
    return _result_of(o) if _is_future(o) else o


def deep_traverse_to_gather(o: object) -> Sequence[Future[Any]]:
    """Return the futures in an argument, at any depth in standard containers."""
    found: list[Future[Any]] = []
    to_visit = [o]
    entered = set()  # a container may contain itself
    while to_visit:
        item = to_visit.pop()
        kind = type(item)
        if _is_future(item):
            found.append(item)
        elif kind not in _CONTAINERS or id(item) in entered:
            continue
        elif kind is dict:
            entered.add(id(item))
            if _may_have_futures(item.keys()) or _may_have_futures(item.values()):  # type: ignore[attr-defined]
                to_visit.extend(part for pair in reversed(item.items()) for part in reversed(pair))  # type: ignore[attr-defined]
        else:
            entered.add(id(item))
            if _may_have_futures(item):  # type: ignore[arg-type]
                to_visit.extend(reversed(list(item)))  # type: ignore[call-overload]
    return found


def deep_traverse_to_unwrap(o: object) -> object:
    """Return an argument with results in the place of futures, at any depth in standard containers."""
    if type(o) in _CONTAINERS and not deep_traverse_to_gather(o):
        return o
    return _unwrap(o)


def _unwrap(o: object) -> object:
    kind = type(o)
    if _is_future(o):
        return _result_of(o)
    if kind in _SEQUENCES:
        return kind(map(_unwrap, o)) if _may_have_futures(o) else o  # type: ignore[call-arg, call-overload, arg-type]
    if kind is dict:
        return {_unwrap(key): _unwrap(value) for key, value in o.items()}  # type: ignore[attr-defined]
    return o


def _may_have_futures(items: Iterable[object]) -> bool:
    """Whether any item is a future or a container, by its type. Long containers have few types."""
    kinds = set(map(type, items))
    return not kinds.isdisjoint(_CONTAINERS) or any(issubclass(kind, Future) for kind in kinds)


def _result_of(future: Future[Any]) -> Any:
    if not future.done():  # waiting here would block the kernel, and the future may be the task's own
        raise DataFlowException(
            f"An argument was changed after the call: it contains {future!r}, which is not a dependency. "
            "Give each call a container of its own, such as list(futures)"
        )
    return unopened(future)


def _is_future(o: object) -> TypeGuard[Future[Any]]:
    """Like ``isinstance``, which makes a lazy object fetch its target."""
    return issubclass(type(o), Future)


# Not their subclasses, whose constructors may not accept an iterable of items.
_SEQUENCES = frozenset((list, tuple, set, frozenset))
_CONTAINERS = _SEQUENCES | {dict}

SHALLOW_DEPENDENCY_RESOLVER = DependencyResolver(shallow_traverse_to_gather, shallow_traverse_to_unwrap)
DEEP_DEPENDENCY_RESOLVER = DependencyResolver(deep_traverse_to_gather, deep_traverse_to_unwrap)
