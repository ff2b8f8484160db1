"""Blocks as jobs of HTCondor."""
