"""Runs that are broken on purpose, for longer than a test may take: see README.md."""
