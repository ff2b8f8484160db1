"""Blocks as jobs of Torque."""
