"""The life of a run: loading, its executors, its end."""
