"""Whether it is worth trying again when a scheduler did not take a job."""

from __future__ import annotations

import re
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.common.commands import CommandResult


class RefusalRules(NamedTuple):
    """How to tell a refusal for good from one that may pass.

    What a command writes decides before its exit code, and "may pass" before "for good": what nobody has
    foreseen may pass, and somebody who counts failures has to give up in the end.
    """

    #: Regular expressions for what may pass.
    transient: tuple[str, ...] = ()
    #: Regular expressions for what will be refused each time.
    permanent: tuple[str, ...] = ()
    #: Exit codes that mean "each time".
    permanent_codes: frozenset[int] = frozenset()

    def is_permanent(self, result: CommandResult) -> bool:
        """Whether the same submission would be refused again, whenever it is tried."""
        if result.timed_out:
            return False
        words = f"{result.stderr}\n{result.stdout}"
        if _any_matches(self.transient, words):
            return False
        return _any_matches(self.permanent, words) or result.exit_code in self.permanent_codes


def _any_matches(patterns: tuple[str, ...], words: str) -> bool:
    return any(re.search(pattern, words, re.IGNORECASE) for pattern in patterns)
