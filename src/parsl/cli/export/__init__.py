"""Runs in the formats of other programs: traces, spans and metrics."""
