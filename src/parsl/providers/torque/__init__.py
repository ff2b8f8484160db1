"""Blocks from Torque."""
