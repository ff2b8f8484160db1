"""What a forked child of the driver does with what belongs to its parent: it lets go of it.

A child has its parent's memory and descriptors, but not its threads. It must not speak over the parent's
connections, end the parent's run on its own way out, or wait for what only the parent's threads can bring.
And as long as it held the parent's end of a connection, nobody could see the parent's end.
"""

from __future__ import annotations

import os
import weakref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Owner(Protocol):
        """What belongs to the process that has made it."""

        def disown(self) -> None:
            """Called in a forked child; there, locks may be held by threads that do not exist."""


_owners: weakref.WeakSet[Owner] = weakref.WeakSet()


def disown_in_children(owner: Owner) -> None:
    """Have ``owner.disown()`` called in every child that is forked from now on."""
    _owners.add(owner)


def not_here(what: str) -> str:
    """Say why something cannot be used in this process.

    Args:
        what: What it is, as the beginning of a sentence.
    """
    return (
        f"{what} belongs to the process that process {os.getpid()} was forked from, and cannot be used here. "
        "Call apps, and wait for their futures, in the process that has loaded the configuration; or call "
        "parsl.load here, for a run of this process's own"
    )


def _disown_all() -> None:
    owners = list(_owners)
    _owners.clear()
    for owner in owners:
        owner.disown()


os.register_at_fork(after_in_child=_disown_all)
