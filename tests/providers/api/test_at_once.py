"""Several requests at once."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from parsl.providers.api.at_once import at_once

_AT_EXIT = """
import atexit
from parsl.providers.api.at_once import at_once
atexit.register(at_once, print, ["a", "b", "c"])
"""


@pytest.mark.parametrize("count", [0, 1, 2, 20])
def test_each_item_is_requested_once(count):
    done = []
    at_once(done.append, range(count))
    assert sorted(done) == list(range(count))


def test_requests_overlap():
    both = threading.Barrier(2, timeout=30)
    at_once(lambda _: both.wait(), [1, 2])


def test_an_error_does_not_keep_the_others_from_being_requested():
    done = []

    def request(item):
        done.append(item)
        if item in (1, 3):
            raise ValueError(item)

    with pytest.raises(ValueError, match="1"):
        at_once(request, [0, 1, 2, 3])
    assert sorted(done) == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="1"):
        at_once(request, [1])


def test_an_interpreter_that_exits_requests_one_after_the_other():
    run = subprocess.run([sys.executable, "-c", _AT_EXIT], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr, sorted(run.stdout.split())) == (0, "", ["a", "b", "c"])
