"""The values of ``Config(usage_tracking=...)``."""

#: No data is collected.
DISABLED = 0
#: The versions of Parsl and Python, the operating system, and the start and end of a run.
LEVEL_1 = 1
#: Also the classes of the parts of the configuration.
LEVEL_2 = 2
#: Also the number of tasks and of failed tasks, and the duration of the run.
LEVEL_3 = 3
