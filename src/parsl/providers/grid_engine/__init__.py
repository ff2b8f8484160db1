"""Blocks as jobs of Grid Engine."""
