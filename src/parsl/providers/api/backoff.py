"""When to send a request again that has failed: a plain decision, without a clock."""

from __future__ import annotations

from parsl.providers.api.failure import FailureKind

#: The delay before the second attempt, in seconds. It doubles with each further attempt, up to the maximum.
FIRST_DELAY_S = {FailureKind.TRANSIENT: 0.2, FailureKind.THROTTLED: 1.0}
MAX_DELAY_S = 20.0
#: More attempts than this are not made, however short the delays.
MAX_ATTEMPTS = 12


def next_delay(attempt: int, kind: FailureKind, retry_after_s: float | None, random: float) -> float | None:
    """Return the delay before the next attempt, in seconds; None to give up.

    Delays differ at random, so that many clients that were refused together do not return together.

    Args:
        attempt: How many attempts have failed, 1 or more.
        kind: Why the last one failed.
        retry_after_s: How long the service requests to wait, if it does (seconds).
        random: A random number from 0 to 1.
    """
    if not kind.is_retried or attempt >= MAX_ATTEMPTS:
        return None
    longest_s: float = min(MAX_DELAY_S, FIRST_DELAY_S[kind] * 2 ** (attempt - 1))
    delay_s = longest_s * (1 + random) / 2
    return delay_s if retry_after_s is None else max(delay_s, retry_after_s)
