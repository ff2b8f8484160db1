"""The dashboard: pages about runs, served on loopback by a process of its own that only reads.

``web`` answers requests, ``live`` follows runs, and the modules that are named for a question compute its
answer from what is known of a run. The package needs the extra ``dashboard``.
"""
