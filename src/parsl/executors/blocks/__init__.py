"""Blocks: batch jobs that an executor submits, follows and cancels."""
