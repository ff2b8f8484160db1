"""Names and data that all layers share, and the public modules under which users find them."""

from __future__ import annotations

#: The arguments of an app call that are meant for the kernel. A default in the function's signature counts as
#: an argument of the call. The function receives those for which it has a parameter.
SPECIAL_NAMES = frozenset(
    ("inputs", "outputs", "stdout", "stderr", "walltime", "label", "parsl_resource_specification")
)

#: The label of the executor of join apps and of the kernel's other work. 'all' does not include it.
INTERNAL_LABEL = "_parsl_internal"

_TAKES_ANY_KEYWORD = 0x08  # inspect.CO_VARKEYWORDS, whose module is slow to import


def for_function(func: object, kwargs: dict[str, object]) -> dict[str, object]:
    """Return ``kwargs`` without the special ones for which ``func`` has no parameter, as far as is known."""
    code = getattr(func, "__code__", None)
    if not kwargs or code is None or code.co_flags & _TAKES_ANY_KEYWORD:
        return kwargs
    accepted = code.co_varnames[code.co_posonlyargcount : code.co_argcount + code.co_kwonlyargcount]
    return {name: kwargs[name] for name in kwargs if name in accepted or name not in SPECIAL_NAMES}


def publish(namespace: dict[str, object], module: str) -> None:
    """Make every class that a module defines name its public module; called at the module's end.

    Tracebacks then show the name that users import, and pickles refer to it, so that other versions of Parsl
    (and upstream) can read them. The public module must import the classes.
    """
    own = namespace["__name__"]
    for value in namespace.values():
        if isinstance(value, type) and value.__module__ == own:
            value.__module__ = module
