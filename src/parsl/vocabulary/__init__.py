"""Names and data that all layers share, and the public modules under which users find them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def publish(namespace: dict[str, Any], module: str) -> None:
    """Make every class that a module defines name its public module; called at the module's end.

    Tracebacks then show the name that users import, and pickles refer to it, so that other versions of Parsl
    (and upstream) can read them. The public module must import the classes.
    """
    own = namespace["__name__"]
    for value in namespace.values():
        if isinstance(value, type) and value.__module__ == own:
            value.__module__ = module
