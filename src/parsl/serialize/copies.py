"""The warning that a task gets a copy of an object that users may expect to be shared."""

from __future__ import annotations

from parsl.common.notices import warn_user


class CopiedByDillWarning(UserWarning):
    """A task has copies of objects, such as locks, that only dill can pickle."""


has_warned = False


def warn_of_copies(error: Exception) -> None:
    """Warn, once per process, that a call could only be pickled by dill: pickle's refusal names the type."""
    global has_warned
    if has_warned:
        return
    has_warned = True
    warn_user(
        f"Only dill could pickle a call ({type(error).__name__}: {error}): the task has a copy of this "
        "object. A copy of a lock excludes only threads of the same task. (This warning appears once.)",
        CopiedByDillWarning,
        in_call=True,
    )
