"""Blocks on this machine."""
