"""Machines of Google's Compute Engine."""
