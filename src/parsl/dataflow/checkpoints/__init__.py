"""Checkpoints: results on disk, written by one run and read by the next."""
