"""Telling users that a task has got a copy of what they may take to be shared with it."""

from __future__ import annotations

from parsl.common.notices import warn_user


class CopiedByDillWarning(UserWarning):
    """A task has copies of objects, such as locks, that only dill can pickle."""


_has_told = False


def tell_of_copies(error: Exception) -> None:
    """Warn, once in a process, that dill was needed for a call.

    Args:
        error: What pickle has said: it names the type.
    """
    global _has_told
    if _has_told:
        return
    _has_told = True
    warn_user(
        f"Only dill could pickle a call ({type(error).__name__}: {error}): the task has a copy of this "
        "object. A copy of a lock excludes nobody but threads of the same task. (This is said once.)",
        CopiedByDillWarning,
        in_call=True,
    )
