"""The values of ``Config(usage_tracking=...)``."""

DISABLED = 0  #: No data is collected.
LEVEL_1 = 1  #: The versions of Parsl and Python, the operating system, and the start and end of a run.
LEVEL_2 = 2  #: Also the classes of the parts of the configuration.
LEVEL_3 = 3  #: Also the number of tasks and of failed tasks, and the duration of the run.
