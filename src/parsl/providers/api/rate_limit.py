"""How many requests may be sent: a plain decision; times are seconds on any one monotonic clock."""

from __future__ import annotations


class TokenBucket:
    """Limits the rate of requests, and allows short bursts. Not thread-safe.

    Args:
        rate: Requests per second.
        burst: How many requests may be sent at once after a pause.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._counted_s = float("-inf")

    def __repr__(self) -> str:
        return f"<TokenBucket {self._rate:g}/s tokens={self._tokens:.1f}>"

    def take(self, now_s: float) -> float:
        """Count a request that is about to be sent; return how long to wait before sending it, in seconds."""
        passed_s = max(0.0, now_s - self._counted_s)
        self._tokens = min(float(self._burst), self._tokens + passed_s * self._rate)
        self._counted_s = now_s
        self._tokens -= 1
        return max(0.0, -self._tokens / self._rate)
