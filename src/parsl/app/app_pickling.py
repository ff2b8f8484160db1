"""How an app gets into a worker: by name if that can import it, else by value. The kernel stays here."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def reduce_app(app: Any, arguments: dict[str, Any]) -> tuple[Any, ...]:
    """Return what an app's ``__reduce__`` has to.

    Args:
        app: The app.
        arguments: What to make another one like it with.
    """
    if _is_importable(app):
        return _import_app, (app.__module__, app.__qualname__)
    return _new_app, (type(app),), arguments, None, None, _set_app_state


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
    from parsl.app.app import AppBase

    AppBase.__init__(app, **arguments)
