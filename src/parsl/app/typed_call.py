"""The type of an app's calls, for type checkers.

Checkers compare a call with the function's own parameters. Arguments can also be futures of the parameters'
types. That cannot be expressed for each parameter, so checkers accept any call with a future among its first
four positional arguments. For a future that is passed by keyword, annotate the parameter accordingly
(``int | Future[int]``).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from concurrent.futures import Future
    from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

    from parsl.dataflow.futures import AppFuture

    P = ParamSpec("P")
    Q = ParamSpec("Q")
    R = TypeVar("R")
    SelfT = TypeVar("SelfT")

    class BoundApp(Generic[P, R]):
        """An app that is a method, bound to its object."""

        @overload
        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> AppFuture[R]: ...
        @overload
        def __call__(self, a: Future[Any], /, *args: Any, **kwargs: Any) -> AppFuture[R]: ...
        @overload
        def __call__(self, a: object, b: Future[Any], /, *args: Any, **kwargs: Any) -> AppFuture[R]: ...
        @overload
        def __call__(
            self, a: object, b: object, c: Future[Any], /, *args: Any, **kwargs: Any
        ) -> AppFuture[R]: ...
        @overload
        def __call__(
            self, a: object, b: object, c: object, d: Future[Any], /, *args: Any, **kwargs: Any
        ) -> AppFuture[R]: ...
        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

    class TypedCall(BoundApp[P, R]):
        """A call that gives a future of what the function returns."""

        @overload
        def __get__(self: SelfT, instance: None, owner: type) -> SelfT: ...
        @overload
        def __get__(
            self: TypedCall[Concatenate[Any, Q], R], instance: object, owner: type
        ) -> BoundApp[Q, R]: ...
        def __get__(self, instance: Any, owner: type) -> Any: ...

else:
    from types import GenericAlias

    class TypedCall:
        """Can be subscripted. Importing ``typing`` for that at run time would take too long."""

        __class_getitem__ = classmethod(GenericAlias)
