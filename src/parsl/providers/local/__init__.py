"""Blocks as processes of this machine."""
