"""The parts of ``parsl explain``."""
