"""Names that a package imports from its modules when they are first used (PEP 562)."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazy_names(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package, given the module of each of its names."""
    namespace = vars(sys.modules[package])

    def get(name: str) -> object:
        if name not in modules:
            known = ", ".join(modules)
            raise AttributeError(f"module {package!r} has no attribute {name!r}; it has {known}")
        from importlib import import_module

        value = namespace[name] = getattr(import_module(modules[name]), name)
        return value

    return get, lambda: sorted({*namespace, *modules})
