"""The commands `parsl dashboard` and `parsl-visualize`, up to the point where they serve."""

from __future__ import annotations

import socket

import pytest

from parsl.cli import dashboard


@pytest.fixture
def port_in_use():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield str(server.getsockname()[1])


def test_a_port_in_use_is_an_error(tmp_path, port_in_use, capsys):
    assert dashboard.main([str(tmp_path), "--port", port_in_use]) == 2
    assert f"port {port_in_use} is in use" in capsys.readouterr().err


def test_a_run_that_does_not_exist_is_an_error(tmp_path, capsys):
    assert dashboard.main(["7", "--run-dir", str(tmp_path)]) == 2
    assert "there is no run '7'" in capsys.readouterr().err


def test_a_missing_directory_of_runs_is_an_error(tmp_path, capsys):
    assert dashboard.main(["--run-dir", str(tmp_path / "none")]) == 2
    assert "--run-dir" in capsys.readouterr().err


def test_missing_packages_are_an_error_with_the_command_that_installs_them(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "uvicorn", None)
    monkeypatch.delitem(__import__("sys").modules, "parsl.dashboard.serve", raising=False)
    assert dashboard.main([str(tmp_path)]) == 2
    assert "pip install 'parsl[dashboard]'" in capsys.readouterr().err


def test_a_monitoring_database_stands_for_the_runs_next_to_it(tmp_path):
    (tmp_path / "000").mkdir()
    assert dashboard.directory_of(f"sqlite:///{tmp_path}/monitoring.db") == str(tmp_path)


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("postgresql://host/db", "not the URI of an SQLite file"),
        ("sqlite:////nowhere/m.db", "does not exist"),
        ("sqlite:////etc/m.db", "no database /etc/m.db, and no run in its directory"),
    ],
)
def test_another_database_is_an_error(uri, problem, capsys):
    assert dashboard.visualize([uri]) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_wrong_port_is_an_error(port, capsys):
    with pytest.raises(SystemExit):
        dashboard.main(["--port", port])
    assert "0 to 65535" in capsys.readouterr().err
