"""Measurements of a configuration."""
