"""Helpers that every layer uses. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Mapping


def lazy_names(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package that imports its names when first used (PEP 562).

    ``modules`` has the module of each name.
    """
    import sys

    namespace = vars(sys.modules[package])

    def get(name: str) -> object:
        if name not in modules:
            known = ", ".join(modules)
            raise AttributeError(f"module {package!r} has no attribute {name!r}; it has {known}")
        from importlib import import_module

        value = namespace[name] = getattr(import_module(modules[name]), name)
        return value

    return get, lambda: sorted({*namespace, *modules})
