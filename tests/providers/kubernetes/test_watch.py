from __future__ import annotations

import threading

from parsl.providers.api.failure import Failure, FailureKind, ServiceError
from parsl.providers.kubernetes.watch import Watch

STEP_S = 0.001


def test_it_looks_until_there_is_nothing_to_watch(wait_until):
    looks = []
    watch = Watch(lambda: looks.append(1) or len(looks) < 3, STEP_S)
    watch.begin()
    wait_until(lambda: repr(watch).endswith("running=False>"))
    assert len(looks) == 3
    watch.begin()
    wait_until(lambda: len(looks) == 4)
    watch.stop()


def test_what_is_added_during_a_look_is_watched(wait_until):
    began, may_end, looks = threading.Event(), threading.Event(), []

    def look():
        looks.append(1)
        began.set()
        may_end.wait(60)
        return False

    watch = Watch(look, STEP_S)
    watch.begin()
    began.wait(60)
    watch.begin()  # must not wait for the look in progress
    may_end.set()
    wait_until(lambda: len(looks) == 2)
    watch.stop()


def test_failures_are_logged_once_and_do_not_end_it(wait_until, caplog):
    looks = []

    def look():
        looks.append(1)
        raise ServiceError("Kubernetes", "list Jobs", Failure(FailureKind.TRANSIENT, "no route"))

    watch = Watch(look, STEP_S)
    watch.begin()
    wait_until(lambda: len(looks) > 3)
    watch.stop()
    assert caplog.text.count("no route") == 1


def test_nothing_begins_after_the_stop():
    looks = []
    watch = Watch(lambda: looks.append(1) or True, STEP_S)
    watch.stop()
    watch.begin()
    assert repr(watch).endswith("running=False>")
