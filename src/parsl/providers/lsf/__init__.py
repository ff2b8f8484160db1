"""Blocks from IBM Spectrum LSF."""
