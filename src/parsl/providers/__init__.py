"""Where blocks of nodes come from; each provider is imported when it is first asked for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.providers.local.local import LocalProvider

__all__ = ["LocalProvider"]

_MODULES = {
    "LocalProvider": "parsl.providers.local.local",
}


def __getattr__(name: str) -> object:
    module_name = _MODULES.get(name)
    if module_name is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    provider = getattr(import_module(module_name), name)
    globals()[name] = provider
    return provider


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
