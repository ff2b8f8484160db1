"""Threads and child processes of the driver that run tasks."""
