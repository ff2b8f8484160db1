"""Which executor a task goes to."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from parsl.executors.base import ParslExecutor

#: The executor of join apps and of other work of the kernel's own; 'all' does not mean it.
INTERNAL_LABEL = "_parsl_internal"


def choose_executor(
    executors: Mapping[str, ParslExecutor], public: Sequence[str], wanted: str | Sequence[str], app_name: str
) -> str:
    """Choose at random among the executors that an app allows.

    Args:
        executors: All there are, by label.
        public: The labels that 'all' stands for.
        wanted: What the app allows: ``'all'`` or labels.
        app_name: For error messages.

    Returns:
        A label.

    Raises:
        ValueError: There is no such executor, or none at all.
    """
    labels = public if wanted == "all" else [wanted] if isinstance(wanted, str) else wanted
    if len(labels) == 1 and labels[0] in executors:
        return labels[0]
    if not labels:
        raise ValueError(_nowhere_to_run(app_name, wanted, public))
    for label in labels:
        if label not in executors:
            raise ValueError(_unknown(app_name, label, public))
    from random import choice

    return choice(labels)


def public_labels(executors: Iterable[str]) -> tuple[str, ...]:
    """The labels that 'all' stands for."""
    return tuple(label for label in executors if label != INTERNAL_LABEL)


def _nowhere_to_run(app_name: str, wanted: str | Sequence[str], public: Sequence[str]) -> str:
    if wanted == "all":
        return (
            f"App {app_name} has nowhere to run: the configuration has no executors. "
            "Give Config(executors=[...]), or use add_executors"
        )
    return f"App {app_name} has nowhere to run: its executors are {wanted!r}. {_there_are(public)}"


def _unknown(app_name: str, label: object, public: Sequence[str]) -> str:
    return f"App {app_name} asks for the executor {label!r}, which is not loaded. {_there_are(public)}"


def _there_are(public: Sequence[str]) -> str:
    if not public:
        return "The configuration has no executors"
    return "The loaded executors are: " + ", ".join(repr(label) for label in public)
