"""The command ``parsl``."""

import os
import subprocess
import sys

import pytest

import parsl
from parsl.cli.main import COMMANDS, main


def test_help_lists_the_commands(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in COMMANDS)


def test_without_a_command_the_commands_are_listed(capsys):
    assert main([]) == 2
    assert "doctor" in capsys.readouterr().out


def test_an_unknown_command_is_an_error_that_lists_the_commands(capsys):
    assert main(["docter"]) == 2
    printed = capsys.readouterr()
    assert "'docter'" in printed.err
    assert "doctor" in printed.err
    assert printed.out == ""


def test_the_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"parsl {parsl.__version__}\n"


def test_only_the_requested_command_is_imported():
    code = (
        "import sys; from parsl.cli.main import main; main(['--version']); print('argparse' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"],
        capture_output=True,
        text=True,
    )
    assert run.stdout.split() == ["parsl", parsl.__version__, "False"]


def test_the_package_can_be_run():
    code = f"import sys, runpy; sys.path[:0] = {sys.path!r}; runpy.run_module('parsl', run_name='__main__')"
    run = subprocess.run([sys.executable, "-c", code, "--version"], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, f"parsl {parsl.__version__}\n"), run.stderr


def test_every_command_has_help(capsys):
    for name in COMMANDS:
        with pytest.raises(SystemExit) as ended:
            main([name, "--help"])
        assert ended.value.code == 0
        assert f"parsl {name}" in capsys.readouterr().out


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("words", [["--help"], ["doctor", "no_such_file.py"], ["no-such-command"]])
def test_a_reader_that_has_gone_is_no_error(words, stream, unbuffered, tmp_path):
    """``parsl doctor config.py | head -1``"""
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}; from parsl.cli.main import main; sys.exit(main({words!r}))"
    )
    reader, writer = os.pipe()
    os.close(reader)
    other = {"stdout": "stderr", "stderr": "stdout"}[stream]
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        text=True,
        **{stream: writer, other: subprocess.PIPE},
    )
    os.close(writer)
    is_written = stream == ("stderr" if words == ["no-such-command"] else "stdout")
    assert (run.returncode == 141) is is_written
    assert "Error" not in (run.stderr or "")


def test_a_closed_stdout_is_no_error():
    """``parsl --version >&-``, as a daemon may run it."""
    code = f"import sys; sys.path[:0] = {sys.path!r}; from parsl.cli.main import main; sys.exit(main(['-V']))"
    run = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, code], stderr=subprocess.PIPE, text=True
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_another_broken_connection_is_an_error(monkeypatch):
    def fail(words):
        raise BrokenPipeError("of a socket")

    monkeypatch.setattr("parsl.cli.runs.main", fail)
    with pytest.raises(BrokenPipeError, match="of a socket"):
        main(["runs"])
