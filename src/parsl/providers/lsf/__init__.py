"""Blocks as jobs of IBM Spectrum LSF."""
