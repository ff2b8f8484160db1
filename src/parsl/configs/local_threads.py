"""The configuration for tutorials: ``from parsl.configs.local_threads import config``."""

from __future__ import annotations

from parsl.config import Config
from parsl.executors import ThreadPoolExecutor

config = Config(executors=[ThreadPoolExecutor()])
