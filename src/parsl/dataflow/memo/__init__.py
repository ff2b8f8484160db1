"""Memoization: what identifies a call."""
