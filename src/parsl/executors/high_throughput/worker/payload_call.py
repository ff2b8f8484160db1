"""Tasks that are given as bytes, with the name of the function that understands these bytes.

Packages that build on Parsl have their own format of calls. They submit bytes with
``submit_payload({"task_executor": {"f": "module.function", "a": [...], "k": {...}}}, payload)``: a worker
imports the function and calls it with the bytes; what it returns, mostly bytes again, is the result. The
payload may also be another object that can be pickled.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from parsl import validate

_KEYS = {"f", "a", "k"}


class PayloadCall(NamedTuple):
    """A function that is called with a payload."""

    #: Module and name, separated by a dot.
    function: str
    #: Further arguments.
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def read_task_executor(owner: object, context: dict[str, Any]) -> PayloadCall | None:
    """Return the function that the context of a payload names; None if it names none."""
    given = context.get("task_executor")
    if given is None:
        return None
    name = 'context["task_executor"]'
    expected = 'a dict {"f": "module.function", "a": arguments, "k": keyword arguments}; f is required'
    if not isinstance(given, dict):
        validate.wrong_type(owner, name, given, expected)
    function, args, kwargs = given.get("f"), given.get("a", ()), given.get("k", {})
    if not set(given) <= _KEYS or not _is_dotted(function):
        validate.wrong_value(owner, name, given, expected)
    if not isinstance(args, (list, tuple)) or not isinstance(kwargs, dict):
        validate.wrong_value(owner, name, given, "a list or tuple as a, and a dict as k")
    if not all(isinstance(key, str) for key in kwargs):
        validate.wrong_value(owner, name, given, "strings as keys of k")
    return PayloadCall(function, tuple(args), kwargs)  # type: ignore[arg-type]


def call_with_payload(payload: object, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a function by its name with a payload. Runs in the worker.

    Args:
        payload: The first argument.
        function: Module and name of the function.
        args: Further arguments.
        kwargs: Keyword arguments.
    """
    module, _, name = function.rpartition(".")
    if module not in sys.modules:
        from importlib import import_module

        import_module(module)
    return getattr(sys.modules[module], name)(payload, *args, **kwargs)


def _is_dotted(name: object) -> bool:
    parts = name.split(".") if isinstance(name, str) else []
    return len(parts) > 1 and all(part.isidentifier() for part in parts)
