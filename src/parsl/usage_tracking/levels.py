"""The values of ``Config(usage_tracking=...)``."""

#: Nothing is gathered.
DISABLED = 0
#: Versions of Parsl and Python, the operating system, and that a run began and ended.
LEVEL_1 = 1
#: Also the classes that the configuration is made of.
LEVEL_2 = 2
#: Also how many tasks there were, how many failed, and how long the run took.
LEVEL_3 = 3
