"""Helpers that every layer uses. Standard library only."""
