"""Run every script in this directory, as it is, with one kernel; the one that loads its own comes last.

usage: run_all.py threads|htex
"""

import runpy
import sys
from pathlib import Path

import parsl
from site_config import make_config

HERE = Path(__file__).parent
LOADS_BY_ITSELF = "checkpointing"

topics = sorted(HERE.glob("topic_*.py"))
with parsl.load(make_config(sys.argv[1])):
    for script in topics:
        runpy.run_path(str(script), run_name="__main__")
runpy.run_path(str(HERE / f"{LOADS_BY_ITSELF}.py"), run_name="__main__")
print("scripts that ran:", *[script.stem for script in topics], LOADS_BY_ITSELF)
