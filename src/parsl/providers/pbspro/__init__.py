"""Blocks as jobs of PBS Pro."""
