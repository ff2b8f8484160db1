"""``parsl monitoring RUN``."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from parsl.cli.main import main
from parsl.monitoring.settings import Settings, complete_settings, known_settings, write_settings
from tests.support.event_logs import write_event_log


def task_count(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM task").fetchone()[0])


def test_a_run_is_written_into_the_database_of_its_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_event_log(tmp_path / "007", 20)
    assert main(["monitoring", "7", "--run-dir", str(tmp_path)]) == 0
    assert str(tmp_path / "monitoring.db") in capsys.readouterr().out
    assert task_count(tmp_path / "monitoring.db") == 20


def test_the_newest_run_is_the_default(tmp_path: Path) -> None:
    write_event_log(tmp_path / "000", 3)
    write_event_log(tmp_path / "001", 20)
    assert main(["monitoring", "--run-dir", str(tmp_path)]) == 0
    assert task_count(tmp_path / "monitoring.db") == 20


def test_the_database_is_next_to_a_run_that_is_named_by_its_path(tmp_path: Path) -> None:
    write_event_log(tmp_path / "000", 20)
    assert main(["monitoring", str(tmp_path / "000")]) == 0
    assert task_count(tmp_path / "monitoring.db") == 20


def test_the_database_of_the_run_is_completed(tmp_path: Path) -> None:
    write_event_log(tmp_path / "000", 20)
    write_settings(str(tmp_path / "000"), Settings(f"sqlite:///{tmp_path}/mine.db", 5.0))
    assert main(["monitoring", str(tmp_path / "000")]) == 0
    assert task_count(tmp_path / "mine.db") == 20


def test_a_run_that_is_complete_stays_with_its_database(tmp_path: Path) -> None:
    write_event_log(tmp_path / "000", 20)
    settings = Settings(f"sqlite:///{tmp_path}/mine.db", 5.0)
    write_settings(str(tmp_path / "000"), settings)
    complete_settings(str(tmp_path / "000"), settings)
    assert main(["monitoring", str(tmp_path / "000")]) == 0
    assert task_count(tmp_path / "mine.db") == 20
    assert not (tmp_path / "monitoring.db").exists()


def test_a_password_is_forgotten_with_the_last_row(tmp_path: Path) -> None:
    settings = Settings("postgresql://me:secret@host/runs", None)
    write_settings(str(tmp_path), settings)
    complete_settings(str(tmp_path), settings)
    assert not any(b"secret" in path.read_bytes() for path in tmp_path.iterdir())
    known = known_settings(str(tmp_path))
    assert known is not None
    assert known.endpoint == "postgresql://me@host/runs"


def test_another_database_can_be_named(tmp_path: Path) -> None:
    write_event_log(tmp_path / "000", 20)
    assert main(["monitoring", str(tmp_path / "000"), "--database", f"sqlite:///{tmp_path}/x.db"]) == 0
    assert task_count(tmp_path / "x.db") == 20


def test_the_answer_can_be_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_event_log(tmp_path / "000", 2)
    assert main(["monitoring", str(tmp_path / "000"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {
        "run": str(tmp_path / "000"), "database": f"sqlite:///{tmp_path}/monitoring.db", "is_complete": True
    }  # fmt: skip


def test_a_log_whose_beginning_is_damaged_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_event_log(tmp_path / "000", 20)
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)
    assert main(["monitoring", str(tmp_path / "000")]) == 2
    assert "has a damaged beginning" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["12"], 2, "there is no run '12'"),
        (["{path}/empty"], 2, "There is no event log"),
        (["{path}/000", "--database", "mysql://host/x"], 1, "'mysql://host/x' names no database"),
        (["{path}/000", "--database", "x.db"], 1, "for a file, write sqlite:///x.db"),
        (["{path}/000", "--database", "sqlite:////dev/null/x.db"], 1, "--database of `parsl monitoring`"),
        (["{path}/000", "--database", "sqlite:////proc/x/y.db"], 1, "its directory cannot be made"),
    ],
)
def test_what_cannot_be_done_is_an_error_with_advice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    write_event_log(tmp_path / "000", 2)
    (tmp_path / "empty").mkdir()
    words = [word.format(path=tmp_path) for word in arguments]
    assert main(["monitoring", *words, "--run-dir", str(tmp_path)]) == code
    assert message in capsys.readouterr().err
