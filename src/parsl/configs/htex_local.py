"""The configuration for tutorials: ``from parsl.configs.htex_local import config``."""

from __future__ import annotations

from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider

config = Config(executors=[HighThroughputExecutor(label="htex_local", provider=LocalProvider())])
