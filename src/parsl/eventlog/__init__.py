"""What has happened in a run: a log that the driver appends to, and readers of it.

``records`` are the facts, ``file`` stores and finds them, ``history`` is what a reader knows of a run.
"""
