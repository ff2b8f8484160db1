from __future__ import annotations

import time

import pytest

from parsl.common.commands import CommandNotStarted, CommandResult, run_command
from parsl.common.processes import is_alive


def test_result():
    result = run_command(["sh", "-c", "echo out; echo err >&2; exit 3"], 30)
    assert result == CommandResult(
        command=("sh", "-c", "echo out; echo err >&2; exit 3"),
        exit_code=3,
        stdout="out\n",
        stderr="err\n",
        timed_out=False,
    )


def test_words_are_not_shell_text():
    assert run_command(["echo", "$HOME; *"], 30).stdout == "$HOME; *\n"


def test_signal_is_a_negative_exit_code():
    assert run_command(["sh", "-c", "kill -9 $$"], 30).exit_code == -9


def test_bytes_that_are_not_text():
    assert run_command(["printf", r"a\377b"], 30).stdout == "a\ufffdb"


def test_input_environment_and_directory(tmp_path):
    result = run_command(
        ["/bin/sh", "-c", 'cat; echo "$X"; pwd'], 30, env={"X": "y"}, cwd=str(tmp_path), stdin_text="größe\n"
    )
    assert result.stdout == f"größe\ny\n{tmp_path.resolve()}\n"


def test_nothing_to_read():
    assert run_command(["cat"], 30) == (("cat",), 0, "", "", False)


def test_timeout_keeps_the_output_and_kills_the_children():
    begin = time.monotonic()
    result = run_command(["sh", "-c", "trap '' TERM; sleep 600 & echo $!; echo e >&2; exec sleep 600"], 2)
    assert time.monotonic() - begin < 20
    assert result.timed_out
    assert result.exit_code == -9
    assert result.stderr == "e\n"
    assert not is_alive(int(result.stdout))


def test_child_that_holds_the_output_is_not_a_timeout():
    result = run_command(["sh", "-c", "sleep 600 & echo $!; exit 4"], 2)
    assert not result.timed_out
    assert result.exit_code == 4
    assert not is_alive(int(result.stdout))


def test_missing_program():
    with pytest.raises(CommandNotStarted, match=r"Cannot run no-such-qstat: No such file.*PATH") as caught:
        run_command(["no-such-qstat", "-f"], 30)
    assert caught.value.command == ("no-such-qstat", "-f")


def test_program_that_must_not_be_run(tmp_path):
    (tmp_path / "qstat").write_text("")
    with pytest.raises(CommandNotStarted, match=r"Permission denied\.$"):
        run_command([str(tmp_path / "qstat")], 30)
