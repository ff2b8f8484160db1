"""What type checkers see of an app.

A call is checked against the function's own parameters. Arguments can also be futures of what a parameter
takes: a checker cannot express that for each parameter, so a call with a future among its first four
positional arguments is accepted as it is. Where a future is passed by keyword, let the parameter's
annotation say so (``int | Future[int]``).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from concurrent.futures import Future
    from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

    from parsl.dataflow.futures import AppFuture

    P = ParamSpec("P")
    Q = ParamSpec("Q")
    R = TypeVar("R")
    SelfT = TypeVar("SelfT")

    class BoundApp(Protocol[P, R]):
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

    class TypedCall(Generic[P, R]):
        """A call that gives a future of what the function returns."""

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
        """At run time only something that can be subscripted; ``typing`` is not worth importing for it."""

        __class_getitem__ = classmethod(GenericAlias)
