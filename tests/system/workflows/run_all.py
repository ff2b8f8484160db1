"""Run every script in this directory, unchanged, with one kernel; those that load their own come last.

usage: run_all.py threads|htex
"""

import runpy
import sys
from pathlib import Path

import parsl
from site_config import make_config

HERE = Path(__file__).parent
LOAD_THEIR_OWN = ("checkpointing", "plugins")

topics = sorted(HERE.glob("topic_*.py"))
with parsl.load(make_config(sys.argv[1])):
    for script in topics:
        runpy.run_path(str(script), run_name="__main__")
for name in LOAD_THEIR_OWN:
    runpy.run_path(str(HERE / f"{name}.py"), run_name="__main__")
print("scripts that ran:", *[script.stem for script in topics], *LOAD_THEIR_OWN)
