"""The effects of worker_init, found by running it in a shell like the job's."""

import sys
from pathlib import Path

import pytest

from parsl.cli.checkup.worker_init import run_probe
from parsl.version import VERSION
from tests.cli.conftest import of_level


def probe(worker_init, program="", is_clean=True, is_pbs=False, timeout_s=30):
    return run_probe(worker_init, program, is_clean=is_clean, is_pbs=is_pbs, timeout_s=timeout_s)


def test_an_empty_worker_init_keeps_a_python_with_parsl(home):
    seen = probe("")
    assert seen.has_ended
    assert seen.failed == ()
    assert seen.own_python.path == sys.executable
    assert seen.own_python.parsl_version == VERSION
    assert seen.own_python.version == f"{sys.version_info.major}.{sys.version_info.minor}"


def test_failing_commands_are_named_and_those_of_sourced_scripts_are_not(home, tmp_path):
    (tmp_path / "activate").write_text("false\ngrep nothing /dev/null\ntrue\n")
    seen = probe(f"source {tmp_path}/activate\ncd /no/where\nfalse || true; nosuchcommand; true")
    assert [command.text for command in seen.failed] == ["cd /no/where", "nosuchcommand"]
    assert [command.exit_code for command in seen.failed] == [1, 127]
    assert seen.has_ended


def test_changes_made_by_worker_init_are_seen(home, tmp_path):
    program = tmp_path / "bin" / "mpiexec"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    seen = probe(f"PATH={tmp_path}/bin:$PATH\ncd {tmp_path}\nexport ZE_FLAT_DEVICE_HIERARCHY=FLAT", "mpiexec")
    assert seen.program == str(program)
    assert seen.environment == {"ZE_FLAT_DEVICE_HIERARCHY": "FLAT"}


@pytest.mark.parametrize("text", ["exit 3", "set -e\nfalse", "exec false"])
def test_a_worker_init_that_ends_the_job_is_found(home, text):
    seen = probe(text)
    assert not seen.has_ended
    assert seen.exit_code in (1, 3)


def test_shell_options_and_arguments_in_worker_init_do_no_harm(home):
    seen = probe("set -euo pipefail\nset -- a b\nexec 2>/dev/null\nread line || true")
    assert seen.has_ended
    assert seen.own_python.parsl_version == VERSION


def test_a_slow_worker_init_is_ended(home):
    assert probe("sleep 1000", timeout_s=0.5).timed_out


def test_a_job_of_pbs_has_a_fresh_environment_and_a_node_file(home, monkeypatch):
    monkeypatch.setenv("ONLY_HERE", "1")
    text = 'test -s "$PBS_NODEFILE"\ntest -n "$PBS_JOBID"\ntest -z "$ONLY_HERE"\ntest "$PWD" = "$HOME"'
    assert probe(text, is_pbs=True).failed == ()


def test_other_jobs_have_this_environment(home, monkeypatch):
    monkeypatch.setenv("ONLY_HERE", "1")
    assert probe('test -n "$ONLY_HERE"', is_clean=False).failed == ()


def check(doctor, worker_init, *options, more=""):
    text = f"p = PBSProProvider(worker_init={worker_init!r})\n"
    found = doctor.check(f"{text}c = Config([HighThroughputExecutor(provider=p{more})], retries=1)", *options)
    return [(level, topic, text) for level, topic, text in found if topic in ("worker_init", "python")]


def test_modules_where_there_are_none(doctor, home):
    [(level, _, text), *_] = check(doctor, "module() { nosuch; }; module load frameworks")
    assert level == "error"
    assert "`module load frameworks` fails with exit code 127" in text


def test_a_command_that_may_exist_only_on_the_nodes_is_a_warning(doctor, home):
    [(level, _, text), *_] = check(doctor, "xpu-smi-of-the-node --start")
    assert level == "warning"
    assert "xpu-smi-of-the-node: command not found" in text
    assert "may work on the nodes" in text


def test_the_last_output_of_a_job_that_ends_early_is_shown(doctor, home):
    [(level, _, text)] = check(doctor, "echo no licence >&2; exit 4")
    assert level == "error"
    assert "exit code 4 before anything is started. no licence" in text


def test_a_hanging_worker_init_is_found(doctor, home):
    [(level, _, text)] = check(doctor, "sleep 1000", "--timeout", "0.5")
    assert level == "warning"
    assert "not ended within 0.5 s" in text


def test_a_python_broken_by_worker_init_is_found(doctor, home):
    found = check(doctor, "export PYTHONHOME=/no/where")
    assert ("error", "python") in [(level, topic) for level, topic, _ in found]


def fake_python(directory, answer):
    directory.mkdir(parents=True)
    for name in ("python", "process_worker_pool.py"):
        (directory / name).write_text(f"#!/bin/sh\n{answer}\n")
        (directory / name).chmod(0o755)
    return f"export PATH={directory}:$PATH"


def test_an_environment_other_than_the_drivers_is_found(doctor, home):
    found = check(doctor, fake_python(home / "env" / "bin", "echo ModuleNotFoundError; exit 1"))
    [(level, _, text)] = [one for one in found if one[1] == "python" and one[0] != "ok"]
    assert level == "warning"
    assert f"worker_init activates {home}/env/bin/python (no Parsl in it)" in text


def test_the_drivers_own_environment_causes_no_finding(doctor, home):
    found = check(doctor, f"export PATH={Path(sys.executable).parent}:$PATH")
    assert {level for level, _, _ in found} == {"ok"}


@pytest.mark.parametrize(
    ("answer", "level", "words"),
    [
        ("echo parsl 1999.1.1 3.9", "error", "managers are refused"),
        (
            f"echo parsl {VERSION} {sys.version_info.major}.{sys.version_info.minor}",
            "note",
            "the same Python",
        ),
        ("echo broken; exit 1", "warning", "does not import Parsl: broken"),
    ],
)
def test_a_launch_cmd_uses_the_environment_of_worker_init(doctor, home, answer, level, words):
    more = ", launch_cmd='process_worker_pool.py --settings {settings} --block_id {block_id}'"
    found = check(doctor, fake_python(home / "env" / "bin", answer), more=more)
    [(found_level, _, text)] = [one for one in found if one[1] == "python"]
    assert found_level == level
    assert words in text


def test_a_launch_cmd_next_to_the_drivers_python_is_found(doctor, home, monkeypatch):
    fake_python(home / "driver" / "bin", "exit 1")
    monkeypatch.setattr(sys, "executable", f"{home}/driver/bin/python")
    more = ", launch_cmd='process_worker_pool.py --settings {settings} --block_id {block_id}'"
    [(level, topic, text)] = check(doctor, "", more=more)
    assert (level, topic) == ("note", "python")
    assert f"{home}/driver/bin/process_worker_pool.py is that of the driver" in text


def test_a_missing_launch_cmd_is_found(doctor, home, monkeypatch):
    monkeypatch.setattr(sys, "executable", f"{home}/driver/bin/python")
    more = ", launch_cmd='process_worker_pool.py --settings {settings} --block_id {block_id}'"
    found = check(doctor, "", more=more)
    assert any("neither on the PATH after worker_init" in text for _, text in of_level(found, "error"))
