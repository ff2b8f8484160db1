from __future__ import annotations

import contextlib
import os
import signal
import subprocess

import psutil
import pytest

from parsl.launchers import (
    AprunLauncher,
    GnuParallelLauncher,
    JsrunLauncher,
    MpiExecLauncher,
    MpiRunLauncher,
    SimpleLauncher,
    SingleNodeLauncher,
    SrunLauncher,
    SrunMPILauncher,
    WrappedLauncher,
)
from parsl.validate import ParameterError

#: Runs the words after the options: the shell and its script are always the last two.
RUN_LAST_TWO = '"${@: -2}"'

ALL_WITH_SCRIPTS = [
    SingleNodeLauncher,
    GnuParallelLauncher,
    MpiExecLauncher,
    MpiRunLauncher,
    SrunLauncher,
    SrunMPILauncher,
    AprunLauncher,
    JsrunLauncher,
]

PROGRAM = {
    MpiExecLauncher: "mpiexec",
    MpiRunLauncher: "mpirun",
    SrunLauncher: "srun",
    SrunMPILauncher: "srun",
    AprunLauncher: "aprun",
    JsrunLauncher: "jsrun",
}

AWKWARD_COMMANDS = {
    "spaces": ("printf '%s|' a 'b  c'", "a|b  c|"),
    "quotes": ("""printf '%s|' "it's" 'say "hi"' \\\\""", """it's|say "hi"|\\|"""),
    "dollar": ("X='$HOME `id`'; printf '%s|' \"$X\" '$X' $((1+1))", "$HOME `id`|$X|2|"),
    "newlines": ("printf 1\\\n2\nprintf 3\ncat <<EOF\n$((2+2))\nEOF", "1234\n"),
    "unicode": ("printf %s 'größe-✓'", "größe-✓"),
}


def stand_in_for(launcher_class, block):
    if launcher_class in PROGRAM:
        block.stand_in(PROGRAM[launcher_class], RUN_LAST_TWO)
    elif launcher_class is GnuParallelLauncher:
        # parallel gives its words to a shell; once is enough here
        block.stand_in("parallel", 'while [ "$1" != /bin/bash ]; do shift; done; eval "$1 $2"')


def test_simple_is_the_command_itself():
    assert SimpleLauncher()("a 'b' $c", 2, 3) == "a 'b' $c"


def test_wrapped_prepends_text():
    assert WrappedLauncher("docker run image")("a 'b' $c", 2, 3, "/dir") == "docker run image a 'b' $c"


@pytest.mark.parametrize("launcher_class", ALL_WITH_SCRIPTS)
class TestEveryScript:
    @pytest.mark.parametrize("debug", [True, False])
    @pytest.mark.parametrize("exit_code", [0, 1, 3])
    def test_ends_with_the_exit_code_debug_or_not(self, launcher_class, debug, exit_code, block):
        stand_in_for(launcher_class, block)
        code, stdout, stderr = block.run(launcher_class(debug=debug), f"exit {exit_code}")
        assert code == exit_code
        assert stderr == ""
        assert (launcher_class.__name__ in stdout) == debug

    @pytest.mark.parametrize("name", AWKWARD_COMMANDS)
    def test_command_arrives_as_it_was_written(self, launcher_class, name, block):
        stand_in_for(launcher_class, block)
        command, expected = AWKWARD_COMMANDS[name]
        code, stdout, stderr = block.run(launcher_class(debug=False), command)
        assert (code, stdout, stderr) == (0, expected, "")

    def test_worker_init_with_strict_settings_does_no_harm(self, launcher_class, block):
        stand_in_for(launcher_class, block)
        code, _, stderr = block.run(launcher_class(), "exit 4", worker_init="set -euo pipefail")
        assert (code, stderr) == (4, "")

    def test_works_with_the_older_signature_and_leaves_no_files(self, launcher_class, block):
        stand_in_for(launcher_class, block)
        code, stdout, _ = block.run(launcher_class(debug=False), "echo here", script_dir="")
        assert (code, stdout) == (0, "here\n")
        assert os.listdir(block.work_dir) == ["job.sh"]

    def test_reports_the_resources_of_the_block(self, launcher_class, block):
        stand_in_for(launcher_class, block)
        command = 'echo "$CORES $NODES $WORKERCOUNT"'
        _, stdout, _ = block.run(launcher_class(debug=False), command, 2, 3)
        assert set(stdout.splitlines()) == {f"{os.cpu_count()} 3 6"}

    @pytest.mark.parametrize(
        "arguments", [("", 1, 1), (3, 1, 1), ("x", 0, 1), ("x", 1, 0), ("x", "1", 1), ("a\0", 1, 1)]
    )
    def test_refuses_wrong_arguments(self, launcher_class, arguments):
        with pytest.raises(ParameterError, match=launcher_class.__name__):
            launcher_class()(*arguments)

    def test_debug_has_to_be_a_bool(self, launcher_class):
        with pytest.raises(ParameterError, match="debug is 1"):
            launcher_class(debug=1)


class TestSingleNode:
    FIRST_FAILS = '[ "$1" != 1 ] || exit 5'

    def test_starts_a_copy_for_each_task_of_each_node(self, block):
        _, stdout, _ = block.run(SingleNodeLauncher(debug=False), 'echo "$1 $COUNT"', 2, 2)
        assert sorted(stdout.splitlines()) == ["1 1", "2 2", "3 3", "4 4"]

    def test_one_success_is_enough(self, block):
        code, _, _ = block.run(SingleNodeLauncher(), self.FIRST_FAILS, 2)
        assert code == 0

    def test_fail_on_any(self, block):
        code, _, _ = block.run(SingleNodeLauncher(fail_on_any=True), self.FIRST_FAILS, 2)
        assert code == 5

    def test_all_failed(self, block):
        code, _, _ = block.run(SingleNodeLauncher(), "exit 6", 2)
        assert code == 6

    def test_command_sees_what_worker_init_defined(self, block):
        worker_init = "greet() { echo hello $name; }; name=you"
        _, stdout, _ = block.run(SingleNodeLauncher(debug=False), "greet", worker_init=worker_init)
        assert stdout == "hello you\n"

    def test_worker_inits_exit_trap_is_kept(self, block):
        _, stdout, _ = block.run(
            SingleNodeLauncher(debug=False), "echo work", worker_init="trap 'echo swept' EXIT"
        )
        assert stdout == "work\nswept\n"

    @pytest.mark.parametrize("copies", [1, 2])
    def test_sigterm_ends_all_processes(self, copies, assert_dies_of_sigterm):
        assert_dies_of_sigterm(SingleNodeLauncher(), copies)

    @pytest.mark.parametrize("signals", [1, 2])
    def test_exit_code_of_a_program_that_handles_sigterm(self, signals, block):
        """Run many blocks: a program may end at any moment of the launcher's wait."""
        program = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done"
        blocks = [block.start(SingleNodeLauncher(debug=False), program) for _ in range(20)]
        assert [process.stdout.readline() for process in blocks] == ["ready\n"] * len(blocks)
        for process in blocks:
            for _ in range(signals):
                process.terminate()
        assert {process.wait(60) for process in blocks} == {9}

    def test_fail_on_any_has_to_be_a_bool(self):
        with pytest.raises(ParameterError, match="fail_on_any is 'no'"):
            SingleNodeLauncher(fail_on_any="no")


class TestMpiExec:
    def words(self, block, launcher, tasks_per_node=1, nodes_per_block=1):
        block.stand_in("mpiexec", RUN_LAST_TWO)
        code, _, stderr = block.run(launcher, "true", tasks_per_node, nodes_per_block)
        assert (code, stderr) == (0, "")
        (words,) = block.calls("mpiexec")
        return words[:-2]

    def test_default(self, block):
        assert self.words(block, MpiExecLauncher(), 2, 3) == ["-n", "6", "--bind-to", "none"]

    def test_pals(self, block):
        launcher = MpiExecLauncher(bind_cmd="--cpu-bind", overrides="--ppn 1")
        assert self.words(block, launcher, 1, 4) == ["-n", "4", "--cpu-bind", "none", "--ppn", "1"]

    def test_no_binding(self, block):
        assert self.words(block, MpiExecLauncher(bind_cmd="")) == ["-n", "1"]

    def test_overrides_are_shell_text(self, block):
        block.environment["LIMIT"] = "7"
        words = self.words(block, MpiExecLauncher(bind_cmd="", overrides="""--env 'A=b c' -x "$LIMIT" '*'"""))
        assert words == ["-n", "1", "--env", "A=b c", "-x", "7", "*"]

    def test_nodes_of_a_pbs_job_each_once_in_their_order(self, block, tmp_path):
        node_file = tmp_path / "nodes of job"
        node_file.write_text("x2.site\nx2.site\nx1.site\nx2.site\n")
        block.environment["PBS_NODEFILE"] = str(node_file)
        block.stand_in("mpiexec", 'while [ "$1" != --hostfile ]; do shift; done; cat "$2"')
        code, stdout, _ = block.run(MpiExecLauncher(debug=False), "true", 1, 2)
        assert (code, stdout) == (0, "x2.site\nx1.site\n")

    def test_missing_node_file_is_an_error(self, block):
        block.environment["PBS_NODEFILE"] = "/nowhere/nodes"
        block.stand_in("mpiexec", "")
        code, _, stderr = block.run(MpiExecLauncher(), "true")
        assert code == 1
        assert "cannot copy the list of nodes from /nowhere/nodes" in stderr

    def test_missing_program(self, block):
        block.environment["PATH"] = "/nowhere"
        for tool in ("getconf", "mktemp", "chmod"):
            path = subprocess.run(["which", tool], capture_output=True, text=True, check=True).stdout.strip()
            (block.bin_dir / tool).symlink_to(path)
        block.environment["PATH"] = str(block.bin_dir)
        code, _, stderr = block.run(MpiExecLauncher(), "true")
        assert code == 127
        assert "mpiexec" in stderr


def test_script_directory_that_cannot_be_written(block):
    block.stand_in("mktemp", "exit 1")
    code, _, stderr = block.run(MpiExecLauncher(), "true")
    assert code == 1
    assert "cannot write the command for the nodes" in stderr
    assert str(block.script_dir) in stderr


@pytest.mark.parametrize(
    ("launcher", "program", "expected"),
    [
        (MpiRunLauncher(overrides="-x A"), "mpirun", ["-np", "6", "-x", "A"]),
        (AprunLauncher(overrides="-d 4"), "aprun", ["-n", "6", "-N", "2", "-d", "4"]),
        (JsrunLauncher(overrides="-a 1"), "jsrun", ["-n", "6", "-r", "2", "-a", "1"]),
        (SrunLauncher(overrides="-c 8"), "srun", ["--ntasks", "6", "-l", "-c", "8"]),
    ],
)
def test_words_of_one_starter(launcher, program, expected, block):
    block.stand_in(program, RUN_LAST_TWO)
    code, stdout, stderr = block.run(launcher, 'echo "$0 runs"', 2, 3)
    assert (code, stderr) == (0, "")
    assert "/bin/bash runs" in stdout
    (words,) = block.calls(program)
    assert words[:-2] == expected
    assert words[-2] == "/bin/bash"
    assert words[-1].startswith(str(block.script_dir))


def test_mpirun_uses_the_configured_bash(block):
    block.stand_in("mpirun", RUN_LAST_TWO)
    other = block.bin_dir / "other bash"
    other.write_text('#!/bin/bash\necho other\nexec /bin/bash "$@"\n')
    other.chmod(0o755)
    _, stdout, _ = block.run(MpiRunLauncher(debug=False, bash_location=str(other)), "echo work")
    assert stdout == "other\nwork\n"


def test_srun_reports_slurms_resources_to_the_job(block):
    block.stand_in("srun", RUN_LAST_TWO)
    block.environment.update(SLURM_CPUS_ON_NODE="64", SLURM_JOB_NUM_NODES="5")
    _, stdout, _ = block.run(SrunLauncher(debug=False), "echo $CORES $NODES")
    assert stdout == "64 5\n"


class TestSrunMPI:
    def calls(self, block, tasks_per_node, nodes_per_block, cores):
        block.stand_in("srun", RUN_LAST_TWO)
        block.environment.update(SLURM_CPUS_ON_NODE=str(cores), SLURM_JOB_NUM_NODES=str(nodes_per_block))
        code, _, _ = block.run(SrunMPILauncher(overrides="-x"), "true", tasks_per_node, nodes_per_block)
        assert code == 0
        return [words[:-2] for words in block.calls("srun")]

    def test_whole_nodes(self, block):
        assert self.calls(block, 1, 3, cores=8) == [["--exclusive", "--nodes", "1", "-l", "-x"]] * 3

    def test_shares_of_the_cores(self, block):
        assert self.calls(block, 2, 2, cores=8) == [["--ntasks", "4", "-l", "-x"]] * 4

    def test_more_copies_than_cores(self, block):
        assert self.calls(block, 3, 1, cores=2) == [["--ntasks", "1", "-l", "-x"]] * 3

    def test_one_failed_srun_fails_the_block(self, block):
        block.stand_in("srun", f"mkdir '{block.bin_dir}/first' 2>&- && exit 8; {RUN_LAST_TWO}")
        code, _, _ = block.run(SrunMPILauncher(), "true", 2, 1)
        assert code == 8


def send(processes, sign):
    """Send a signal to all processes of a job, as schedulers do, in this order."""
    for each in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.send_signal(sign)


@pytest.mark.parametrize("warning", [None, signal.SIGTSTP], ids=["SIGSTOP", "SIGTSTP-SIGSTOP"])
@pytest.mark.parametrize("launcher", [SingleNodeLauncher(), MpiExecLauncher(), SrunLauncher()], ids=repr)
def test_a_suspended_job_continues_when_it_is_resumed(launcher, warning, block, wait_until):
    """Slurm sends SIGTSTP before SIGSTOP (slurm.conf(5), PreemptMode=SUSPEND); others only the second."""
    for program in ("mpiexec", "srun"):
        block.stand_in(program, RUN_LAST_TWO)
    process = block.start(launcher, "echo $BASHPID >pid; until [ -e go ]; do sleep 0.02; done; exit 7")
    pid_file = block.work_dir / "pid"
    wait_until(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"))
    command = psutil.Process(int(pid_file.read_text()))
    job = psutil.Process(process.pid)
    everything = [command, *job.children(recursive=True), job]
    if warning is not None:
        send(everything, warning)
        wait_until(lambda: command.status() == psutil.STATUS_STOPPED)
        # The launcher has noticed the stop, and waits.
        wait_until(lambda: "sleep" in (each.name() for each in job.children()))
    everything = [command, *job.children(recursive=True), job]
    send(everything, signal.SIGSTOP)
    wait_until(lambda: command.status() == job.status() == psutil.STATUS_STOPPED)
    send(everything, signal.SIGCONT)
    wait_until(lambda: command.status() != psutil.STATUS_STOPPED)
    (block.work_dir / "go").touch()
    process.communicate(timeout=30)
    assert process.returncode == 7


class TestGnuParallel:
    def words(self, block):
        block.stand_in("parallel", "")
        code, _, _ = block.run(GnuParallelLauncher(), "true", 2, 3)
        assert code == 0
        (words,) = block.calls("parallel")
        return words

    def test_here(self, block):
        words = self.words(block)
        assert words[:4] == ["--jobs", "2", "--max-args", "0"]
        assert words[-7:] == [":::", "1", "2", "3", "4", "5", "6"]
        assert "--sshloginfile" not in words

    def test_on_the_nodes_of_a_pbs_job(self, block, tmp_path):
        (tmp_path / "nodes").write_text("a\nb\na\n")
        block.environment["PBS_NODEFILE"] = str(tmp_path / "nodes")
        words = self.words(block)
        with open(words[words.index("--sshloginfile") + 1]) as hosts:
            assert hosts.read() == "a\nb\n"
        assert words[words.index("--workdir") + 1] == str(block.work_dir)
        assert "--env" not in words

    def test_passes_on_the_environment_if_it_was_recorded(self, block, tmp_path):
        (tmp_path / "nodes").write_text("a\n")
        block.environment["PBS_NODEFILE"] = str(tmp_path / "nodes")
        (tmp_path / ".parallel").mkdir()
        (tmp_path / ".parallel" / "ignored_vars").write_text("")
        words = self.words(block)
        assert words[words.index("--env") + 1] == "_"


@pytest.mark.parametrize(
    "make",
    [
        lambda: WrappedLauncher(3),
        lambda: MpiExecLauncher(bind_cmd=None),
        lambda: MpiExecLauncher(overrides=["--ppn", "1"]),
        lambda: MpiRunLauncher(bash_location=""),
        lambda: SrunLauncher(overrides=None),
        lambda: SimpleLauncher(debug=None),
    ],
)
def test_wrong_constructor_arguments(make):
    with pytest.raises(ParameterError):
        make()


def test_repr():
    assert repr(MpiExecLauncher(bind_cmd="--cpu-bind", overrides="--ppn 1")) == (
        "MpiExecLauncher(debug=True, bind_cmd='--cpu-bind', overrides='--ppn 1')"
    )
    assert repr(WrappedLauncher("x")) == "WrappedLauncher('x', debug=True)"


@pytest.mark.parametrize("launcher", [SimpleLauncher(), WrappedLauncher("docker run image")])
class TestLaunchersOfOneCopy:
    @pytest.mark.parametrize(("tasks_per_node", "nodes_per_block"), [(2, 1), (1, 3)])
    def test_a_warning_names_what_was_requested(self, launcher, tasks_per_node, nodes_per_block, caplog):
        launcher("true", tasks_per_node, nodes_per_block)
        (record,) = caplog.records
        assert record.levelname == "WARNING"
        requested = f"{nodes_per_block} nodes per block and {tasks_per_node} tasks per node are requested"
        assert type(launcher).__name__ in record.message
        assert requested in record.message

    def test_nothing_is_logged_for_one_copy(self, launcher, caplog):
        launcher("true", 1, 1)
        assert caplog.records == []
