"""The base class of apps."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from functools import update_wrapper
from types import MethodType

from parsl import validate
from parsl.app.parameters import explain_refusal, read_parameters, unknown_parameter
from parsl.app.typed_call import TypedCall
from parsl.common.parameter_names import advice_on
from parsl.errors import NoDataFlowKernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Literal, ParamSpec, TypeVar

    from parsl.dataflow.concurrency_limit import ConcurrencyLimit
    from parsl.dataflow.dflow import DataFlowKernel
    from parsl.dataflow.futures import AppFuture

    P = ParamSpec("P")
    R = TypeVar("R")
    Labels = list[str] | Literal["all"]


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
        self.limit = _limit_of(self.max_concurrency)
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
            if self.limit is not None:
                return self._submit_limited(kernel, args, kwargs)
            return kernel.submit(
                self._task_function,
                args,
                self.executors,
                self.cache,
                self.ignore_for_cache,
                kwargs,
                self._joins,
            )

        def __get__(self, instance, owner=None):
            # A classmethod passes its class as the instance (before Python 3.13).
            if self._is_method or (instance is owner and not self._is_static):
                return self if instance is None else MethodType(self, instance)
            return self

    def _submit_limited(self, kernel: DataFlowKernel, args: Any, kwargs: dict[str, Any]) -> AppFuture[Any]:
        function = self._task_function
        return kernel.submit(
            function,
            args,
            self.executors,
            self.cache,
            self.ignore_for_cache,
            kwargs,
            concurrency_limit=self.limit,
        )

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
            if (
                self._is_method
                and len(args) > 1
                and args[0] is args[1]
                and parameters.allows(args[1:], kwargs)
            ):
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
        names = ("func", "executors", "cache", "max_concurrency")
        arguments = {name: getattr(self, name) for name in names}
        return _new_app, (type(self),), arguments, None, None, _set_app_state

    def __parsl_dependencies__(self) -> tuple[object, ...]:
        return (self.func,)


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


def _limit_of(max_concurrency: int | None) -> ConcurrencyLimit | None:
    if max_concurrency is None:
        return None
    from parsl.dataflow.concurrency_limit import ConcurrencyLimit

    return ConcurrencyLimit(max_concurrency)


def _is_importable(app: Any) -> bool:
    from sys import modules

    found: Any = modules.get(app.__module__)
    if app.__module__ == "__main__" or found is None:
        return False
    for name in app.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is app


def _import_app(module: str, qualified_name: str) -> Any:
    from importlib import import_module

    found: Any = import_module(module)
    for name in qualified_name.split("."):
        found = getattr(found, name)
    return found


def _new_app(kind: Any) -> Any:
    return kind.__new__(kind)


def _set_app_state(app: Any, arguments: dict[str, Any]) -> None:
    AppBase.__init__(app, **arguments)


def _load_kernel_finder() -> DataFlowKernel:
    """Return the loaded kernel, and replace this function by a direct one."""
    global _current_kernel
    from parsl.dataflow.dflow import DataFlowKernelLoader

    find = DataFlowKernelLoader.dfk
    try:
        kernel = find()
    except NoDataFlowKernelError as error:
        _explain_missing_kernel(error)
        raise
    _current_kernel = find
    return kernel


_current_kernel: Callable[[], DataFlowKernel] = _load_kernel_finder


def _explain_missing_kernel(error: NoDataFlowKernelError) -> None:
    from os import environ

    if "PARSL_WORKER_RANK" in environ:
        raise NoDataFlowKernelError(
            "An app was called inside a worker, where no configuration is loaded: the workflow runs in the "
            "driver. Call the function itself (app.func), or call the app in the driver, or make the calling "
            "function a join_app, which runs in the driver."
        ) from error
