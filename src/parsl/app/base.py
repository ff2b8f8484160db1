"""The base class of apps."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from functools import update_wrapper
from operator import attrgetter
from types import MethodType

from parsl import validate
from parsl.app.parameters import explain_refusal, read_parameters, unknown_parameter
from parsl.common.parameter_names import advice_on
from parsl.errors import NoDataFlowKernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from typing import Any, Concatenate, Generic, Literal, ParamSpec, TypeVar, overload

    from parsl.dataflow.dflow import DataFlowKernel
    from parsl.dataflow.futures import AppFuture
    from parsl.dataflow.work_loop import ConcurrencyLimit

    P = ParamSpec("P")
    Q = ParamSpec("Q")
    R = TypeVar("R")
    SelfT = TypeVar("SelfT")
    Labels = list[str] | Literal["all"]

    # Checkers compare a call with the function's own parameters. Arguments can also be futures of the types
    # of the parameters. That cannot be expressed for each parameter, so checkers accept any call with a
    # future among its first four positional arguments. For a future that is passed by keyword, annotate the
    # parameter accordingly (``int | Future[int]``).

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
        """A call that returns a future of the function's result."""

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


class AppBase(TypedCall["P", "R"], metaclass=ABCMeta):
    """A function whose calls are tasks: each returns a future at once.

    Args:
        func: The function.
        data_flow_kernel: The kernel that runs the tasks; None for the one that is loaded at the time of the
            call.
        executors: The labels of the executors to choose from, or ``"all"``.
        cache: Whether a call with the same arguments as an earlier one gets its result.
        ignore_for_cache: The arguments that do not count for the cache.
        max_concurrency: The number of calls that executors have at a time; None for no limit. Others wait.

    Raises:
        ParameterError: A parameter is wrong.
    """

    #: Whether the function returns futures for which the app's future waits.
    _joins = False

    def __init__(
        self,
        func: Callable[P, Any],
        data_flow_kernel: DataFlowKernel | None = None,
        executors: Labels = "all",
        cache: bool = False,
        ignore_for_cache: Sequence[str] | None = None,
        *,
        max_concurrency: int | None = None,
    ) -> None:
        self._is_static = isinstance(func, staticmethod)
        self._is_method = False
        function: Callable[..., Any] = func.__func__ if isinstance(func, staticmethod) else func
        _check_function(self, function)
        update_wrapper(self, function)
        self.__name__: str = getattr(function, "__name__", type(function).__name__)
        self.__qualname__: str = getattr(function, "__qualname__", self.__name__)
        self.func = function
        self.data_flow_kernel = _checked_kernel(self, data_flow_kernel)
        self.executors = _checked_labels(self, executors)
        self.cache = validate.boolean(self, "cache", cache)
        self.ignore_for_cache = _checked_ignored(self, function, ignore_for_cache)
        self.max_concurrency = validate.integer(
            self, "max_concurrency", max_concurrency, low=1, optional=True
        )
        self.limit: ConcurrencyLimit | None = None
        if max_concurrency is not None:
            from parsl.dataflow.work_loop import ConcurrencyLimit

            self.limit = ConcurrencyLimit(max_concurrency)
        self._parameters = read_parameters(function)
        self._task_function = self._make_task_function()

    @abstractmethod
    def _make_task_function(self) -> Callable[..., Any]:
        """Return the function that a task of this app calls."""

    if not TYPE_CHECKING:

        def __call__(self, /, *args, **kwargs):
            parameters = self._parameters
            if parameters is not None and (kwargs or not parameters.low <= len(args) <= parameters.high):
                args, kwargs = self._prepare(args, kwargs)
            kernel = self.data_flow_kernel or _current_kernel()
            function, executors = self._task_function, self.executors
            if self.limit is None:
                return kernel.submit(
                    function, args, executors, self.cache, self.ignore_for_cache, kwargs, self._joins
                )
            return kernel.submit(
                function, args, executors, self.cache, self.ignore_for_cache, kwargs,
                concurrency_limit=self.limit,
            )  # fmt: skip

        def __get__(self, instance, owner=None):
            # A classmethod passes its class as the instance (before Python 3.13).
            if self._is_method or (instance is owner and not self._is_static):
                return self if instance is None else MethodType(self, instance)
            return self

    def __set_name__(self, owner: type, name: str) -> None:
        defined_in = getattr(self.func, "__qualname__", "").rpartition(".")[0]
        self._is_method = not self._is_static and defined_in == owner.__qualname__

    def _prepare(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Check a call that is not of the simplest kind, and add the special defaults of the signature."""
        parameters = self._parameters
        assert parameters is not None
        if not parameters.allows(args, kwargs):
            is_given_twice = self._is_method and len(args) > 1 and args[0] is args[1]
            if is_given_twice and parameters.allows(args[1:], kwargs):
                args = args[1:]  # obj.method(obj, ...): an older way to call an app that is a method
            elif (reason := explain_refusal(self.func, args, kwargs)) is not None:
                raise TypeError(reason)
        return parameters.complete(args, kwargs)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__module__}.{self.__qualname__}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker gets the app by name if the worker can import it, else by value. The kernel stays here.
        if _is_importable(self):
            return _import_app, (self.__module__, self.__qualname__)
        names = ("func", "executors", "cache", "ignore_for_cache", "max_concurrency")
        arguments = {name: getattr(self, name) for name in names}
        return _new_app, (type(self),), (arguments, self._joins), None, None, _set_app_state

    def __copy__(self: SelfT) -> SelfT:
        """Return an app of the same function. A concurrency limit counts the calls of both."""
        app = type(self).__new__(type(self))
        vars(app).update(vars(self))
        return app

    def __deepcopy__(self: SelfT, memo: dict[int, Any]) -> SelfT:
        """Return an app with its own options, and with a copy of a function that has state."""
        from copy import copy, deepcopy

        app = memo[id(self)] = copy(self)
        own = {name: value for name, value in vars(self).items() if name not in _SHARED_BY_COPIES}
        vars(app).update(deepcopy(own, memo))
        return app

    def __parsl_dependencies__(self) -> tuple[object, ...]:
        return (self.func,)


#: What copies of an app have in common: the run, how many of its tasks may run, and what never changes.
_SHARED_BY_COPIES = frozenset(("data_flow_kernel", "limit", "_parameters"))


def _check_function(app: AppBase[..., Any], function: object) -> None:
    if isinstance(function, classmethod):
        validate.wrong_type(
            app, "function", function, "a function; write @classmethod above the app's decorator"
        )
    if isinstance(function, AppBase):
        validate.wrong_type(app, "function", function, "a function that is not an app yet")
    validate.callable_(app, "function", function)


def _checked_kernel(app: AppBase[..., Any], kernel: Any) -> DataFlowKernel | None:
    if kernel is not None and not callable(getattr(kernel, "submit", None)):
        validate.wrong_type(app, "data_flow_kernel", kernel, "a DataFlowKernel, or None")
    return kernel  # type: ignore[no-any-return]


def _checked_labels(app: AppBase[..., Any], executors: Any) -> Labels:
    if isinstance(executors, str):
        if executors != "all":
            validate.wrong_value(
                app, "executors", executors, f'"all" or a list of labels, such as [{executors!r}]'
            )
        return "all"
    return validate.list_of(app, "executors", executors, str, allow_empty=False)  # type: ignore[no-any-return]


def _checked_ignored(app: AppBase[..., Any], function: Callable[..., Any], ignored: Any) -> list[str] | None:
    names: list[str] | None = validate.list_of(app, "ignore_for_cache", ignored, str, optional=True)
    if names and (found := unknown_parameter(function, names)) is not None:
        unknown, known = found
        raise validate.ParameterValueError(
            f"{type(app).__name__} {app.__name__}: ignore_for_cache has {unknown!r}, which is no parameter "
            f"of {app.__name__}. {advice_on(unknown, known)}"
        )
    return names


def _is_importable(app: Any) -> bool:
    from sys import modules

    try:
        return app.__module__ != "__main__" and attrgetter(app.__qualname__)(modules[app.__module__]) is app
    except (AttributeError, KeyError):
        return False


def _import_app(module: str, qualified_name: str) -> Any:
    from importlib import import_module

    return attrgetter(qualified_name)(import_module(module))


def _new_app(kind: Any) -> Any:
    return kind.__new__(kind)


def _set_app_state(app: Any, state: tuple[dict[str, Any], bool]) -> None:
    arguments, app._joins = state
    AppBase.__init__(app, **arguments)


def _load_kernel_finder() -> DataFlowKernel:
    """Return the loaded kernel, and replace this function by a direct one."""
    global _current_kernel
    from parsl.dataflow.loader import DataFlowKernelLoader

    find = DataFlowKernelLoader.dfk
    try:
        kernel = find()
    except NoDataFlowKernelError as error:
        from os import environ

        if "PARSL_WORKER_RANK" not in environ:
            raise
        raise NoDataFlowKernelError(
            "An app was called inside a worker, where no configuration is loaded: the workflow runs in the "
            "driver. Call the function itself (app.func), or call the app in the driver, or make the calling "
            "function a join_app, which runs in the driver."
        ) from error
    _current_kernel = find
    return kernel


_current_kernel: Callable[[], DataFlowKernel] = _load_kernel_finder
