"""The pilot-job executor: interchange, managers and workers."""
