"""Blocks from PBS Pro and OpenPBS."""
