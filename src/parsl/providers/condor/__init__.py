"""Blocks from HTCondor."""
