"""What ``parsl doctor`` checks: one module for each topic, with functions that return findings."""
