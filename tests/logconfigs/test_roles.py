"""The logs of an executor's processes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from parsl.errors import ConfigurationError
from parsl.logconfigs.base import LogConfig
from parsl.logconfigs.file import FileLogging
from parsl.logconfigs.json import JSONLogging
from parsl.logconfigs.noop import NoopLogging
from parsl.logconfigs.roles import pack, start_role_log

PARSL = logging.getLogger("parsl")


Start = Callable[..., None]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start logs, which end with the test: the levels of others depend on them."""
    with ExitStack() as logs:

        def start(*args: Any, **options: Any) -> None:
            logs.callback(start_role_log(*args, **options))

        yield start


@pytest.mark.parametrize("is_debug", [False, True])
def test_logs_of_the_executors_own_contain_the_records_of_their_level(
    tmp_path: Path, start: Start, is_debug: bool
) -> None:
    name = f"parsl-test-{tmp_path.name}"
    start(tmp_path / "role.log", is_debug=is_debug, logger_name=name)
    logger = logging.getLogger(name)
    logger.debug("much")
    logger.info("little")
    text = (tmp_path / "role.log").read_text()
    assert ("much" in text) == is_debug
    assert "little" in text


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (FileLogging(format_string="HEY %(message)s", level=logging.INFO), {"manager.log": "HEY hello\n"}),
        (FileLogging(level=logging.ERROR), {"manager.log": ""}),
        (NoopLogging(), {}),
    ],
)
def test_a_log_config_decides_on_file_and_format(
    tmp_path: Path, start: Start, config: LogConfig, expected: dict[str, str]
) -> None:
    start(tmp_path / "manager.log", is_debug=False, log_config=pack(config))
    PARSL.info("hello")
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == expected


def test_json_logs_have_the_name_of_the_process(tmp_path: Path, start: Start) -> None:
    start(tmp_path / "worker_0.log", is_debug=False, log_config=pack(JSONLogging()))
    logging.getLogger("of.a.task").info("hello")
    assert "hello" in (tmp_path / "worker_0.jsonlog").read_text()


class Failing(LogConfig):
    def initialize_logging(self, *, log_dir: Path, log_name: str) -> Callable[[], None]:
        raise RuntimeError("no such server")


def test_a_log_config_that_fails_is_an_error_that_names_it(tmp_path: Path, start: Start) -> None:
    with pytest.raises(
        ConfigurationError, match=r"LogConfig .* cannot start the log manager .*no such server"
    ):
        start(tmp_path / "manager.log", is_debug=False, log_config=pack(Failing()))


def test_a_log_config_that_cannot_be_sent_is_an_error_with_advice() -> None:
    config: Any = Failing()
    config.lock = threading.Lock()
    with pytest.raises(
        ConfigurationError, match=r"cannot be sent .*Open files and locks in initialize_logging"
    ):
        pack(config)


def test_no_log_config_is_nothing_to_send() -> None:
    assert pack(None) == b""
