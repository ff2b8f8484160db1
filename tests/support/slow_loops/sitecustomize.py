"""For tests: slows our own loops at random places. Python imports this module when it starts.

Every call of a function of the executors may wait for a while first, in each process of a run and in each of
its threads. PARSL_TEST_DELAYS sets how often and how long: the part of calls, the longest delay in seconds,
and a seed.
"""

import os
import random
import sys
import threading
import time

_OURS = os.path.join("parsl", "executors", "")
_PART, _MAX_S, _SEED = (float(word) for word in os.environ["PARSL_TEST_DELAYS"].split())
_chance = random.Random(_SEED)


def _delay(frame, event, _argument):
    if event == "call" and _OURS in frame.f_code.co_filename and _chance.random() < _PART:
        time.sleep(_chance.uniform(0, _MAX_S))


def _begin():
    _chance.seed(_SEED * 1_000_000 + os.getpid())
    sys.setprofile(_delay)


threading.setprofile(_delay)
os.register_at_fork(after_in_child=_begin)
_begin()
