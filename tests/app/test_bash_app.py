"""Bash apps, from the call to the files they write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import parsl
from parsl import File, bash_app
from parsl.app.errors import (
    AppBadFormatting,
    AppException,
    BadStdStreamFile,
    BashAppNoReturn,
    BashExitFailure,
    MissingOutputs,
)
from parsl.failure_facts import facts_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from parsl.dataflow.dflow import DataFlowKernel
    from parsl.dataflow.futures import AppFuture

    Run = Callable[..., AppFuture[int]]


@pytest.fixture
def run(kernel: DataFlowKernel) -> Run:
    """Run a command line as an app called ``command``."""

    @bash_app(data_flow_kernel=kernel)
    def command(line: str, stdout: Any = None, stderr: Any = None, outputs: Any = ()) -> str:
        return line

    return command


def test_the_result_is_the_exit_code(run: Run) -> None:
    assert run("true").result() == 0
    assert run("").result() == 0


@pytest.mark.parametrize(
    ("line", "exit_code", "words"),
    [
        ("exit 3", 3, "unix exit code 3"),
        ("/etc/passwd", 126, "executable"),
        ("no-such-command-at-all", 127, "not found"),
        ("kill -9 $$", -9, "SIGKILL"),
        ("sh -c 'kill -11 $$'; exit $?", 139, "SIGSEGV"),
    ],
)
def test_other_exit_codes_are_failures_with_an_explanation(
    run: Run, tmp_path: Path, line: str, exit_code: int, words: str
) -> None:
    with pytest.raises(BashExitFailure, match=words) as caught:
        run(line, stderr=tmp_path / "err").result()
    assert (caught.value.app_name, caught.value.exitcode) == ("command", exit_code)


def test_commands_use_all_of_bash(run: Run, tmp_path: Path) -> None:
    line = 'a=(1 2 3); [[ ${#a[@]} == 3 ]] && echo "$0 <$(cat)>" | cat <(cat)'
    run(line, stdout=tmp_path / "out").result()
    assert (tmp_path / "out").read_text() == "/bin/bash <>\n"


def test_a_command_has_its_own_group_and_default_signals(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("echo $$ $(ps -o pgid= $$); (kill -PIPE $BASHPID; echo immune); exit 0", stdout=out).result()
    pid, group, *rest = out.read_text().split()
    assert pid == group
    assert rest == []


def test_stderr_begins_with_the_command(run: Run, tmp_path: Path) -> None:
    err = tmp_path / "err"
    run("echo out\necho wrong >&2", stderr=err).result()
    assert err.read_text() == (
        "--> executable follows <--\necho out\necho wrong >&2\n--> end executable <--\nwrong\n"
    )


@pytest.mark.parametrize("as_given", [str, Path, File])
def test_streams_are_paths_of_any_kind_and_parents_are_created(
    run: Run, tmp_path: Path, as_given: Any
) -> None:
    path = tmp_path / "deep" / "er" / "out"
    run("echo hello", stdout=as_given(str(path))).result()
    assert path.read_text() == "hello\n"


def test_streams_are_appended_to_by_default(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "out"
    for stdout in (path, str(path), (path, "a")):
        run("echo hello", stdout=stdout).result()
    assert path.read_text() == "hello\n" * 3
    run("echo hello", stdout=(str(path), "w")).result()
    assert path.read_text() == "hello\n"


def test_one_file_can_have_both_streams(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "both"
    run("echo a; echo b >&2; echo c", stdout=path, stderr=path).result()
    assert path.read_text().endswith("<--\na\nb\nc\n")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_stream_that_cannot_be_written_is_named_with_the_reason(
    run: Run, tmp_path: Path, stream: str
) -> None:
    (tmp_path / "file").touch()
    for path, reason in [(tmp_path, "Is a directory"), (tmp_path / "file" / "out", "Not a directory")]:
        with pytest.raises(BadStdStreamFile) as caught:
            run("true", **{stream: str(path)}).result()
        for word in (str(path), stream, reason):
            assert word in str(caught.value)


@pytest.mark.parametrize(("mode", "reason"), [("r", "does not write"), ("zz", "invalid mode")])
def test_a_mode_that_does_not_write_is_refused(run: Run, tmp_path: Path, mode: str, reason: str) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(BadStdStreamFile, match=reason):
        run("true", stdout=(str(tmp_path / "out"), mode)).result()


def test_missing_outputs_are_named(run: Run, tmp_path: Path) -> None:
    there, missing = File(str(tmp_path / "there")), File(str(tmp_path / "missing"))
    with pytest.raises(MissingOutputs, match="missing") as caught:
        run(f"touch {there.filepath}", outputs=[there, missing]).result()
    assert [file.filepath for file in caught.value.outputs] == [missing.filepath]


def test_outputs_are_futures_of_files(run: Run, tmp_path: Path) -> None:
    future = run(f"echo hello > {tmp_path}/out", outputs=[File(str(tmp_path / "out"))])
    assert Path(future.outputs[0].result().filepath).read_text() == "hello\n"


@pytest.mark.parametrize("value", [None, 5, b"true", ["true"]])
def test_a_function_that_returns_no_string_is_a_type_error(kernel: DataFlowKernel, value: Any) -> None:
    def wrong() -> Any:
        return value

    with pytest.raises(BashAppNoReturn, match=r"bash_app wrong returned .* string"):
        bash_app(wrong, data_flow_kernel=kernel)().result()
    assert issubclass(BashAppNoReturn, ValueError)


@pytest.mark.parametrize(
    ("template", "kind", "words"),
    [
        ("{0} {1}", AppBadFormatting, "formatted.*IndexError"),
        ("{0.nothing}", BashAppNoReturn, "formatted.*AttributeError.*nothing"),
        ("{name}", KeyError, "name"),
    ],
)
def test_formatting_failures_are_what_they_are_upstream(
    kernel: DataFlowKernel, template: str, kind: type[Exception], words: str
) -> None:
    @bash_app(data_flow_kernel=kernel)
    def formatted() -> str:
        return template.format(1)

    with pytest.raises(kind, match=words):
        formatted().result()


def test_other_errors_of_the_function_stay_what_they_are(kernel: DataFlowKernel) -> None:
    @bash_app(data_flow_kernel=kernel)
    def failing() -> str:
        raise ZeroDivisionError("by design")

    with pytest.raises(ZeroDivisionError, match="by design"):
        failing().result()


@pytest.mark.parametrize(
    ("line", "words"), [("echo a\0b", "null byte"), (f"true {'x' * 300_000}", "write the script to a file")]
)
def test_the_error_of_a_command_that_cannot_run_has_the_reason(run: Run, line: str, words: str) -> None:
    with pytest.raises(AppException, match=words):
        run(line).result()


def test_the_function_gets_the_special_arguments(kernel: DataFlowKernel, tmp_path: Path) -> None:
    @bash_app(data_flow_kernel=kernel)
    def show(x: int, stdout: Any = str(tmp_path / "default"), walltime: Any = 60, label: Any = "l") -> str:
        return f"echo {x} {stdout} {walltime} {label}"

    @bash_app(data_flow_kernel=kernel)
    def show_none(x: int) -> str:
        return f"echo {x}"

    future = show(1)
    future.result()
    assert future.stdout == str(tmp_path / "default")
    assert (tmp_path / "default").read_text() == f"1 {tmp_path}/default 60 l\n"
    show(1, str(tmp_path / "positional")).result()
    assert (tmp_path / "positional").read_text() == f"1 {tmp_path}/positional 60 l\n"
    show_none(2, stdout=tmp_path / "undeclared").result()  # type: ignore[call-overload]
    assert (tmp_path / "undeclared").read_text() == "2\n"


def test_auto_lognames_are_paths_that_the_function_sees(kernel: DataFlowKernel) -> None:
    @bash_app(data_flow_kernel=kernel)
    def logged(stdout: Any = parsl.AUTO_LOGNAME, stderr: Any = parsl.AUTO_LOGNAME, label: Any = "x") -> str:
        return f"echo {stdout}"

    future = logged()
    future.result()
    assert Path(future.stdout).read_text() == future.stdout + "\n"
    assert Path(future.stderr).name == Path(future.stdout).name.replace("stdout", "stderr")
    assert Path(future.stdout).name.endswith("_logged_x.stdout")
    assert Path(future.stdout).parent.name == "0000"
    assert Path(future.stdout).parent.parent.name == "task_logs"


def test_the_environment_and_directory_are_those_of_the_worker(
    kernel: DataFlowKernel, tmp_path: Path
) -> None:
    @bash_app(data_flow_kernel=kernel)
    def show(stdout: Any) -> str:
        import os

        os.environ["FOR_THE_COMMAND"] = "seen"
        return "echo $FOR_THE_COMMAND $PWD"

    show(str(tmp_path / "out")).result()
    value, directory = (tmp_path / "out").read_text().split()
    assert value == "seen"
    assert os.path.isdir(directory)
    os.environ.pop("FOR_THE_COMMAND", None)


def test_the_error_of_a_failed_command_quotes_its_stderr(run: Run, tmp_path: Path) -> None:
    stderr = str(tmp_path / "err.txt")
    for words in ["first words", "last words"]:  # the second call appends to the file of the first
        error = run(f"echo {words} >&2; exit 4", stderr=stderr).exception()
        assert isinstance(error, BashExitFailure)
        assert str(error).endswith(f"exit code 4. stderr: {stderr}. The end of its stderr:\n{words}")
        assert error.stderr_tail == words
        assert (facts_of(error).exit_code, facts_of(error).stderr_tail) == (4, words)
        assert facts_of(error).app == "command"


@pytest.mark.parametrize(
    ("streams", "line", "words"),
    [
        (("stdout", "stderr"), "echo bad >&2; exit 4", "stdout: {0}/stdout, stderr: {0}/stderr. The end of"),
        (("stdout", "stderr"), "exit 4", "stdout: {0}/stdout, stderr: {0}/stderr. Its stderr is empty"),
        (("stdout",), "exit 4", "stdout: {0}/stdout. To see its stderr here, call the app with stderr="),
        ((), "exit 4", "exit code 4. To see its stderr here, call the app with stderr=parsl.AUTO_LOGNAME"),
    ],
)
def test_the_error_of_a_failed_command_names_its_output_files(
    run: Run, tmp_path: Path, streams: tuple[str, ...], line: str, words: str
) -> None:
    error = run(line, **{name: str(tmp_path / name) for name in streams}).exception()
    assert isinstance(error, BashExitFailure)
    assert words.format(tmp_path) in str(error)
    expected = [str(tmp_path / name) if name in streams else None for name in ("stdout", "stderr")]
    assert [error.stdout, error.stderr] == expected
