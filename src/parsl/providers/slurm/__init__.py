"""Blocks from Slurm."""
