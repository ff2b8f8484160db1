"""Files of tasks, and how they get to where a task runs."""
