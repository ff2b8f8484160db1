"""Blocks as jobs of Slurm."""
