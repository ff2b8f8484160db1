"""Loggers on streams and in files can be added and removed."""

from __future__ import annotations

import io
import logging

import pytest

import parsl.log_utils
from parsl.log_utils import set_file_logger, set_stream_logger

LOGGER = logging.getLogger("parsl")


@pytest.fixture(autouse=True)
def nothing_left_behind():
    before = (LOGGER.handlers[:], LOGGER.level)
    yield
    assert (LOGGER.handlers, LOGGER.level) == before


def test_stream_logger_lasts_until_it_is_undone():
    stream = io.StringIO()
    undo = set_stream_logger(stream=stream)
    logging.getLogger("parsl.dataflow").debug("during")
    undo()
    LOGGER.error("after")
    assert "parsl.dataflow" in stream.getvalue()
    assert "during" in stream.getvalue()
    assert "after" not in stream.getvalue()
    assert not stream.closed


def test_undoing_twice_is_harmless():
    undo = set_stream_logger(stream=io.StringIO())
    undo()
    undo()


def test_file_logger_writes_each_record_at_once(tmp_path):
    path = tmp_path / "parsl.log"
    undo = set_file_logger(str(path), format_string="%(levelname)s %(message)s")
    try:
        LOGGER.info("one")
        assert path.read_text() == "INFO one\n"
        LOGGER.info("two")
        assert path.read_text() == "INFO one\nINFO two\n"
    finally:
        undo()


def test_levels_of_two_loggers_do_not_disturb_each_other():
    quiet, loud = io.StringIO(), io.StringIO()
    undo_quiet = set_stream_logger(stream=quiet, level=logging.WARNING)
    undo_loud = set_stream_logger(stream=loud, level=logging.DEBUG)
    LOGGER.debug("detail")
    LOGGER.warning("trouble")
    undo_loud()
    assert LOGGER.level == logging.WARNING
    LOGGER.warning("more")
    undo_quiet()
    assert ("detail" in quiet.getvalue(), "trouble" in quiet.getvalue(), "more" in quiet.getvalue()) == (
        False,
        True,
        True,
    )
    assert ("detail" in loud.getvalue(), "trouble" in loud.getvalue(), "more" in loud.getvalue()) == (
        True,
        True,
        False,
    )


def test_other_loggers_can_be_shown():
    stream = io.StringIO()
    undo = set_stream_logger("some.library", stream=stream, level=logging.INFO)
    logging.getLogger("some.library").info("hello")
    undo()
    assert "hello" in stream.getvalue()
    assert logging.getLogger("some.library").level == logging.NOTSET


def test_a_file_that_cannot_be_opened_leaves_no_handler(tmp_path):
    with pytest.raises(OSError, match="none"):
        set_file_logger(str(tmp_path / "none" / "parsl.log"))


def test_public_names():
    assert callable(parsl.log_utils.set_stream_logger)
