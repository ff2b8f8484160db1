"""A log that cannot be written loses records and causes one line on stderr, and nothing else."""

from __future__ import annotations

import errno
import logging
import sys

import pytest

from parsl.logconfigs.handlers import LogFile
from parsl.logconfigs.json import JSONHandler


class FullStream:
    """A file on a disk without room."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    flush = close = lambda self: self.write("")


@pytest.fixture(params=[LogFile, JSONHandler])
def log(request, tmp_path):
    """A logger that writes to a disk without room."""
    handler = request.param(tmp_path / "the.log")
    handler.stream.close()
    handler.stream = FullStream()
    logger = logging.getLogger(f"parsl-test-{tmp_path.name}")
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


def test_one_line_on_stderr_reports_a_full_disk(log, capsys):
    for _ in range(3):
        log.error("lost")
    log.handlers[0].close()
    output = capsys.readouterr().err
    assert output.count("\n") == 1
    assert "the.log cannot be written (No space left on device)" in output


@pytest.mark.parametrize("stderr", [FullStream(), None])
def test_a_stderr_that_cannot_be_written_does_no_harm(log, monkeypatch, stderr, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stderr)
        log.error("lost")
    log.error("lost too")
    assert capsys.readouterr().err == ""


def test_a_record_that_cannot_be_formatted_is_reported_by_logging_itself(tmp_path, capsys):
    handler = LogFile(tmp_path / "the.log")
    handler.handle(logging.LogRecord("x", logging.ERROR, "file", 1, "%d", ("no number",), None))
    handler.close()
    assert "Logging error" in capsys.readouterr().err
