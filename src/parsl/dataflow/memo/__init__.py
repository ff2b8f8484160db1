"""Memoization: what identifies a call, and which calls have a result."""
