"""The life of a task: from the call of an app to its outcome."""
