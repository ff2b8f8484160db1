"""Objects that workers import, so that pickles contain only their names."""

from __future__ import annotations

import sys
from types import BuiltinFunctionType, FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def is_importable(obj: Any, module: str) -> bool:
    """Return whether ```obj``` is what its qualified name refers to in a module that is loaded here."""
    found: Any = sys.modules.get(module)
    for name in obj.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is obj


def is_imported_by_workers(obj: Any) -> bool:
    """Return whether the worker gets ``obj`` by importing it: its pickle then contains only its name."""
    if not issubclass(type(obj), (type, FunctionType, BuiltinFunctionType)):
        return False
    module = getattr(obj, "__module__", None)
    if module is None or module == "__main__" or "<locals>" in obj.__qualname__:
        return False
    return module == "builtins" or (is_importable(obj, module) and not pickles_by_value(module))


def pickles_by_value(module: str) -> bool:
    """Return whether the user has registered a module, or a package above, with cloudpickle."""
    cloudpickle = sys.modules.get("cloudpickle.cloudpickle")
    registry = getattr(cloudpickle, "_PICKLE_BY_VALUE_MODULES", ())
    parts = module.split(".")
    return any(".".join(parts[: i + 1]) in registry for i in range(len(parts)))
