"""The names of the arguments of an app call that mean something to Parsl."""

from __future__ import annotations

#: A default in the function's signature counts as given in the call. The function is given those that it has
#: a parameter for.
SPECIAL_NAMES = frozenset(
    ("inputs", "outputs", "stdout", "stderr", "walltime", "label", "parsl_resource_specification")
)
