"""The log configurations that a Config accepts."""

from __future__ import annotations

import json
import logging
import pickle

import pytest

from parsl.log_utils import set_stream_logger
from parsl.logconfigs.base import LogConfig, oneshot_initialize_logging, oneshot_uninitialize_logging
from parsl.logconfigs.file import FileLogging
from parsl.logconfigs.json import JSONHandler, JSONLogging
from parsl.logconfigs.noop import NoopLogging
from parsl.validate import ParameterError

LOGGER = logging.getLogger("parsl")


@pytest.fixture(autouse=True)
def nothing_left_behind():
    loggers = (LOGGER, logging.root)
    before = [(logger.handlers[:], logger.level) for logger in loggers]
    yield
    assert [(logger.handlers, logger.level) for logger in loggers] == before


@pytest.fixture
def json_lines(tmp_path):
    """Log one record as JSON and read it back."""
    end = JSONLogging().initialize_logging(log_dir=tmp_path, log_name="parsl")

    def read():
        return [json.loads(line) for line in (tmp_path / "parsl.jsonlog").read_text().splitlines()]

    yield read
    end()


def test_file_logging(tmp_path):
    end = FileLogging(format_string="%(levelname)s %(message)s").initialize_logging(
        log_dir=tmp_path, log_name="x"
    )
    logging.getLogger("parsl.jobs").debug("hello")
    assert (tmp_path / "x.log").read_text() == "DEBUG hello\n"
    end()
    LOGGER.error("after")
    assert (tmp_path / "x.log").read_text() == "DEBUG hello\n"


def test_file_logging_format_has_the_time_process_thread_and_place(tmp_path):
    end = FileLogging().initialize_logging(log_dir=tmp_path, log_name="parsl")
    LOGGER.info("hello")
    end()
    line = (tmp_path / "parsl.log").read_text()
    assert "MainThread" in line
    assert "test_file_logging_format" in line
    assert line.endswith("INFO: hello\n")


def test_level(tmp_path):
    end = FileLogging(level=logging.WARNING).initialize_logging(log_dir=tmp_path, log_name="parsl")
    LOGGER.info("detail")
    end()
    assert (tmp_path / "parsl.log").read_text() == ""


@pytest.mark.parametrize("make", [lambda: FileLogging(level="DEBUG"), lambda: JSONLogging(level=-1)])
def test_wrong_level(make):
    with pytest.raises(ParameterError, match="level is"):
        make()


def test_json_logging(json_lines):
    logging.getLogger("parsl.jobs").info("block %s", 3, extra={"block_id": "3"})
    (record,) = json_lines()
    assert record["name"] == "parsl.jobs"
    assert (record["msg"], record["formatted"]) == ("block %s", "block 3")
    assert (record["levelname"], record["funcname"], record["threadName"]) == (
        "INFO",
        "test_json_logging",
        "MainThread",
    )
    assert record["block_id"] == "3"
    assert record["created"] > 1e9


def test_json_logging_records_all_loggers(json_lines):
    logging.getLogger("my.script").debug("from the script")
    logging.root.warning("from the root")
    logging.getLogger("parsl.jobs").info("from Parsl")
    assert [(line["name"], line["msg"]) for line in json_lines()] == [
        ("my.script", "from the script"),
        ("root", "from the root"),
        ("parsl.jobs", "from Parsl"),
    ]


def test_json_logging_with_a_high_level_takes_no_records_from_other_handlers(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    end = JSONLogging(level=logging.ERROR).initialize_logging(log_dir=tmp_path, log_name="parsl")
    logging.getLogger("my.script").info("for the console")
    end()
    assert caplog.messages == ["for the console"]
    assert (tmp_path / "parsl.jsonlog").read_text() == ""


def test_json_logging_next_to_a_handler_with_a_higher_level(tmp_path):
    end_stream = set_stream_logger(level=logging.ERROR)
    end = JSONLogging(level=logging.INFO).initialize_logging(log_dir=tmp_path, log_name="parsl")
    LOGGER.info("for JSON only")
    end()
    end_stream()
    assert "for JSON only" in (tmp_path / "parsl.jsonlog").read_text()


def test_json_logging_has_the_traceback(json_lines):
    try:
        raise ValueError("wrong")
    except ValueError:
        LOGGER.exception("failed")
    (record,) = json_lines()
    assert record["formatted"].startswith("failed\nTraceback")
    assert record["formatted"].endswith("ValueError: wrong")


def test_json_logging_of_values_that_json_cannot_represent(json_lines):
    class Bad:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    deep: list[object] = []
    deep.append(deep)
    LOGGER.info(
        "x",
        extra={
            "an_object": object,
            "unshowable": Bad(),
            "numbers": [1, float("nan"), float("inf")],
            "keys": {(1, 2): {3}},
            "deep": deep,
            "surrogate": "\udc80",
            "raw": b"\xff",
        },
    )
    (record,) = json_lines()
    assert record["an_object"] == "<class 'object'>"
    assert "Bad" in record["unshowable"]
    assert record["numbers"] == [1, "nan", "inf"]
    assert record["keys"] == {"(1, 2)": "{3}"}


def test_json_logging_of_a_message_that_does_not_fit_its_arguments(tmp_path):
    handler = JSONHandler(tmp_path / "log")
    handler.emit(logging.makeLogRecord({"msg": "%d", "args": ("three",)}))
    handler.close()
    assert "does not fit its arguments" in json.loads((tmp_path / "log").read_text())["formatted"]


def test_json_handler_alone(tmp_path):
    handler = JSONHandler(tmp_path / "log", level=logging.ERROR)
    handler.emit(logging.makeLogRecord({"msg": "hello"}))
    handler.close()
    assert json.loads((tmp_path / "log").read_text())["formatted"] == "hello"


def test_noop_logging(tmp_path):
    NoopLogging().initialize_logging(log_dir=tmp_path, log_name="parsl")()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("config", [FileLogging(), JSONLogging(level=20), NoopLogging()])
def test_configs_can_be_sent_to_other_processes(config):
    assert repr(pickle.loads(pickle.dumps(config))) == repr(config)


def test_one_config_serves_two_runs_at_once(tmp_path):
    config = FileLogging(format_string="%(message)s")
    ends = [config.initialize_logging(log_dir=tmp_path, log_name=name) for name in ("a", "b")]
    LOGGER.info("both")
    ends[0]()
    LOGGER.info("b only")
    ends[1]()
    assert (tmp_path / "a.log").read_text() == "both\n"
    assert (tmp_path / "b.log").read_text() == "both\nb only\n"


def test_oneshot(tmp_path):
    config = FileLogging(format_string="%(message)s")
    oneshot_initialize_logging(log_config=config, log_dir=tmp_path, log_name="parsl")
    LOGGER.info("hello")
    oneshot_uninitialize_logging(log_config=config)
    oneshot_uninitialize_logging(log_config=config)
    assert (tmp_path / "parsl.log").read_text() == "hello\n"


def test_log_config_is_abstract():
    with pytest.raises(TypeError):
        LogConfig()
