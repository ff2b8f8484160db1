"""Blocks from Grid Engine."""
