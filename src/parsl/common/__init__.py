"""Helpers that every layer uses. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Mapping


def lazy_names(
    package: str, modules: Mapping[str, str] | None = None, refused: Mapping[str, str] | None = None
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package that imports its names when first used (PEP 562).

    Its submodules are such names too: with upstream, ``import parsl`` alone loads most of them, and scripts
    use ``parsl.app.app.python_app`` without another import. ``modules`` has the module of each other name,
    ``refused`` the reason for each class that can be imported, but not used: it has been retired, or is not
    available yet.
    """
    import sys

    namespace = vars(sys.modules[package])
    known = modules or {}

    def get(name: str) -> object:
        value: object
        if refused is not None and name in refused:
            from parsl.common.parameter_names import refusing_class

            value = namespace[name] = refusing_class(name, refused[name])
            return value
        from importlib import import_module

        if name in known:
            value = namespace[name] = getattr(import_module(known[name]), name)
            return value
        if not name.startswith("_"):
            path = f"{package}.{name}"
            try:
                return import_module(path)
            except ModuleNotFoundError as error:
                if error.name != path:
                    raise
        it_has = f"; it has {', '.join(known)}" if known else ""
        raise AttributeError(f"module {package!r} has no attribute {name!r}{it_has}")

    return get, lambda: sorted({*namespace, *known})


def pass_on_upstream_names(module: str) -> None:
    """Give a module the names in its row of `parsl.common.passed_on`, which scripts may import."""
    import sys

    vars(sys.modules[module])["__getattr__"] = upstream_names(module)


def upstream_names(module: str) -> Callable[[str], object]:
    """Return the ``__getattr__`` of a module that has a row in `parsl.common.passed_on`."""

    def get(name: str) -> object:
        if name.startswith("_"):  # every import from a module looks for its __path__
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        from parsl.common.passed_on import find

        return find(module, name)

    return get
