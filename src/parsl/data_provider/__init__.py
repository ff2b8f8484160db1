"""Files of tasks, and staging: moving them to and from where tasks run."""
