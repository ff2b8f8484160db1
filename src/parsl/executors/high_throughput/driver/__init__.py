"""The driver's side: starts the interchange, sends tasks, completes futures."""
