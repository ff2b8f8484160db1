from __future__ import annotations

import logging
import threading

import pytest

from parsl.process_loggers import wrap_with_logs


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    for name in ("parsl.process_loggers", "mine"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def test_a_normal_end_is_logged_with_the_thread(log: pytest.LogCaptureFixture) -> None:
    @wrap_with_logs
    def double(x: int) -> int:
        """Double a number."""
        return 2 * x

    thread = threading.Thread(target=double, args=(2,), name="other")
    thread.start()
    thread.join()
    assert (double(4), double.__name__, double.__doc__) == (8, "double", "Double a number.")
    first, _ = log.records
    assert (first.name, first.levelno) == ("parsl.process_loggers", logging.DEBUG)
    assert first.getMessage() == "double has ended in thread other"


def test_an_exception_is_logged_to_the_chosen_logger_and_raised(log: pytest.LogCaptureFixture) -> None:
    class Plugin:
        @wrap_with_logs(target="mine")
        def run(self) -> None:
            raise ValueError("boo")

    with pytest.raises(ValueError, match="boo"):
        Plugin().run()
    (record,) = log.records
    assert (record.name, record.levelno) == ("mine", logging.ERROR)
    assert record.exc_info is not None
    assert record.getMessage().startswith("run has failed in thread ")
