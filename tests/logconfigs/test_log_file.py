"""A log that cannot be written costs its records and a line on stderr, and nothing else."""

from __future__ import annotations

import errno
import logging
import sys

import pytest

from parsl.logconfigs.log_file import LogFile, start_role_log


class FullStream:
    """A file on a disk without room."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    flush = close = lambda self: self.write("")


@pytest.fixture
def log(tmp_path):
    """A logger that writes to a disk without room."""
    handler = LogFile(tmp_path / "the.log")
    handler.stream.close()
    handler.stream = FullStream()
    logger = logging.getLogger(f"parsl-test-{tmp_path.name}")
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


def test_it_is_said_once(log, capsys):
    for _ in range(3):
        log.error("lost")
    log.handlers[0].close()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "the.log cannot be written (No space left on device)" in said


def test_a_stderr_without_room_does_no_harm(log, monkeypatch):
    for stderr in (FullStream(), None):
        log.handlers[0]._has_complained = False
        monkeypatch.setattr(sys, "stderr", stderr)
        log.error("lost")
    assert log.handlers[0]._has_complained


def test_a_record_that_cannot_be_formatted_is_reported_as_ever(tmp_path, capsys):
    handler = LogFile(tmp_path / "the.log")
    handler.handle(logging.LogRecord("x", logging.ERROR, "file", 1, "%d", ("no number",), None))
    handler.close()
    assert "Logging error" in capsys.readouterr().err


@pytest.mark.parametrize("is_debug", [False, True])
def test_roles_write_from_their_level_on(tmp_path, is_debug):
    name = f"parsl-test-{tmp_path.name}"
    start_role_log(name, tmp_path / "role.log", is_debug=is_debug)
    logger = logging.getLogger(name)
    logger.debug("much")
    logger.info("little")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    text = (tmp_path / "role.log").read_text()
    assert ("much" in text) == is_debug
    assert "little" in text
