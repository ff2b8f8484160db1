"""Names that Parsl reserves: arguments of app calls, and the label of an executor."""

from __future__ import annotations

#: The arguments of an app call that are meant for the kernel. A default in the function's signature counts as
#: an argument of the call. The function receives those for which it has a parameter.
SPECIAL_NAMES = frozenset(
    ("inputs", "outputs", "stdout", "stderr", "walltime", "label", "parsl_resource_specification")
)

#: The executor of join apps and of the kernel's other work. 'all' does not include it.
INTERNAL_LABEL = "_parsl_internal"
