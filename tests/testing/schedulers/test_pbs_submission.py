"""How the stand-in's qsub understands or refuses a job, next to recorded refusals."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.testing.schedulers.dialect import job_environment
from parsl.testing.schedulers.qsub import Submitter, make_job, parse_date
from parsl.testing.schedulers.qsub_options import directives, parse_command_line, split_words
from parsl.testing.schedulers.records import AURORA_POLICY, HELD, WAITING, Placement, Queue
from parsl.testing.schedulers.refusals import QSUB_REFUSALS, Refusal, qsub_refusal, server_down
from tests.testing.schedulers.recorded import MAIN, RELEASE, SAMPLES, SERVER, sample, settings

SCRIPT = "#!/bin/bash\necho\n"
DEBUG = Queue("debug", max_walltime_s=3600, max_nodes=2, max_queued_per_user=1)
ENVIRONMENT = {
    "HOME": "/home/sci",
    "LANG": "C.UTF-8",
    "PATH": "/bin",
    "SHELL": "/bin/bash",
    "LOGNAME": "sci",
    "X": "1",
}
RULES = {"required": ("account", "walltime", "filesystems")}


def submit(*arguments, script=SCRIPT, queued=0, flavour=RELEASE, **policy):
    line = parse_command_line(arguments)
    policy.setdefault("queues", (DEBUG, Queue("off", enabled=False)))
    who = Submitter("sci", "/home/sci/samples", ENVIRONMENT)
    return make_job(7, line, script, who, settings(flavour, **policy), {"debug": queued}, 0.0)


def job(*arguments, **more):
    return submit(*arguments, **more)[0]


def refusal(*arguments, **more):
    with pytest.raises(Refusal) as caught:
        submit(*arguments, **more)
    return caught.value


BASE = ("-A", "x", "-q", "debug", "-l", "select=1:ncpus=208,walltime=0:05:00")


@pytest.mark.parametrize(
    ("name", "code", "arguments", "more"),
    [
        ("bad-queue", 170, (*BASE[:2], "-q", "nosuch"), {}),
        ("bad-resource", 187, (*BASE, "-l", "nosuch=1"), {}),
        ("bad-select", 187, ("-q", "debug", "-l", "select=1:ncpus=208:nosuch=1"), {}),
        ("bad-walltime-format", 166, ("-q", "debug", "-l", "walltime=abc"), {}),
        ("walltime-over-limit", 188, ("-q", "debug", "-l", "walltime=02:00:00"), {}),
        ("bad-option", 2, (*BASE, "-Z", "ok.sh"), {}),
        ("bad-directive", 1, BASE, {"script": "#!/bin/sh\n#PBS -Z\necho\n"}),
        ("bad-name", 2, (*BASE, "-N", "a b"), {}),
        ("long-name", 2, (*BASE, "-N", "n" * 240), {}),
        ("queue-disabled", 173, (*BASE[:2], "-q", "off"), {}),
        ("policy-no-account", 32, ("-q", "debug", "-l", "walltime=0:05:00,filesystems=home"), RULES),
        ("policy-no-filesystems", 32, BASE, RULES),
        ("policy-no-walltime", 32, ("-A", "x", "-q", "debug", "-l", "filesystems=home"), RULES),
        ("many-lines-stderr", 1, (*BASE, "-I"), {}),
    ],
)
def test_a_job_is_refused_as_recorded(name, code, arguments, more):
    refused = refusal(*arguments, **more)
    assert refused.message == sample(RELEASE, f"qsub-{name}.err")
    assert refused.exit_code == code


def test_a_job_beyond_the_users_limit_is_refused_as_recorded():
    refused = refusal(*BASE, queued=1)
    assert refused.message == sample(RELEASE, "qsub-over-user-limit.err").splitlines(keepends=True)[0]
    assert refused.exit_code == 38


@pytest.mark.parametrize("flavour", [RELEASE, MAIN])
@pytest.mark.parametrize("command", ["qsub", "qstat", "qdel"])
def test_without_a_server_the_commands_print_recorded_errors(flavour, command):
    printed = server_down(command, SERVER, flavour)
    assert printed.message == sample(flavour, f"{command}-server-down.err")
    assert printed.exit_code == (255 if command == "qstat" else 162)


def test_every_refusal_on_request_is_a_refusal():
    for name, requested in QSUB_REFUSALS.items():
        assert qsub_refusal(*requested).message.startswith("qsub:"), name


def test_options_of_the_command_line_override_those_of_the_script():
    script = (
        "#!/bin/sh\n#PBS -N script -q debug\n#PBS -l walltime=1:00\n#PBS -l select=2\necho\n#PBS -A late\n"
    )
    made = job("-N", "line", "-l", "walltime=2:00", script=script)
    assert (made.name, made.queue, made.walltime_s, made.node_count, made.account) == (
        "line",
        "debug",
        120,
        2,
        "",
    )


def test_directives_end_at_the_first_command_and_keep_what_is_quoted():
    script = (
        "#!/bin/bash -l\n\n# a comment\n#PBS -N 'a name' # why\n:\n#PBS -l select=1\ncd /tmp\n#PBS -A x\n"
    )
    assert directives(script) == [("N", "a name"), ("l", "select=1")]


@given(st.text(max_size=60))
def test_any_directive_is_understood_or_refused(text):
    try:
        directives(f"#PBS{text}\n")
    except Refusal:
        return


def test_words_are_split_at_spaces_outside_quotes():
    assert split_words(""" -N "a b" -o 'c d'/e""") == ["-N", "a b", "-o", "c d/e"]


@pytest.mark.parametrize(
    ("arguments", "paths"),
    [
        ((), ("/home/sci/samples/j.o7", "/home/sci/samples/j.e7")),
        (("-o", "out", "-e", "/tmp/err"), ("/home/sci/samples/out", "/tmp/err")),
        (("-o", "logs/"), ("/home/sci/samples/logs/j.o7", "/home/sci/samples/j.e7")),
        (("-o", "host:/tmp/out"), ("/tmp/out", "/home/sci/samples/j.e7")),
    ],
)
def test_where_the_output_goes(arguments, paths):
    made = job("-N", "j", "-q", "debug", *arguments)
    assert (made.output_path, made.error_path) == paths


def test_variables_are_exported_by_name_by_value_or_all():
    _, payload = submit("-q", "debug", "-v", 'X,Y=2,Z="a,b"')
    assert [each[:2] for each in payload.variables if each[2] == "-v"] == [
        ("X", "1"),
        ("Y", "2"),
        ("Z", "a,b"),
    ]
    _, payload = submit("-q", "debug", "-V")
    assert ("X", "1", "-V") in payload.variables


def test_a_job_can_be_held_or_wait():
    assert job("-q", "debug", "-h").state == HELD
    assert job("-q", "debug", "-a", "12312359").state == WAITING
    assert parse_date("200001010000", 1e9) < parse_date("0000", 1e9)


def test_old_resource_lists_are_translated():
    made = job("-q", "debug", "-l", "nodes=2:ppn=4")
    assert [tuple(chunk) for chunk in made.chunks] == [(2, 4, 4)]


def test_the_policy_of_aurora_accepts_the_guides_job():
    script = (
        "#!/bin/bash\n#PBS -A Aurora_deployment -q debug\n#PBS -l walltime=0:30:00,select=1:ncpus=208\n"
        "#PBS -l filesystems=home:flare\n"
    )
    made = job(script=script, **AURORA_POLICY._asdict())
    assert (made.keep, made.resources, made.walltime_s) == ("doe", (("filesystems", "home:flare"),), 1800)


@pytest.mark.parametrize("flavour", [RELEASE, MAIN])
def test_the_environment_of_a_job_has_the_recorded_variables(flavour):
    if not (SAMPLES / flavour / "job-environment.txt").exists():
        recorded = _RECORDED_VARIABLES[flavour]
    else:
        recorded = set(re.findall(r"^(\w+)=", sample(flavour, "job-environment.txt"), re.MULTILINE))
    made, payload = submit(*BASE, flavour=flavour)
    made = made._replace(placements=(Placement("x0.hsn", 208),))
    environment = job_environment(made, payload, settings(flavour), "7.server", "/nodes", "/scratch")
    # The shell makes those itself, or the profile of the recorded machine did.
    made_elsewhere = {"PATH", "PWD", "SHLVL", "_", "MANPATH", "TZ"}
    assert set(environment) == recorded - made_elsewhere
    assert environment["OMP_NUM_THREADS"] == "208"


_COMMON = (
    "ENVIRONMENT HOME LANG LOGNAME NCPUS OMP_NUM_THREADS PBS_ACCOUNT PBS_ENVIRONMENT PBS_JOBCOOKIE "
    "PBS_JOBDIR PBS_JOBID PBS_JOBNAME PBS_MOMPORT PBS_NODEFILE PBS_NODENUM PBS_O_HOME PBS_O_HOST PBS_O_LANG "
    "PBS_O_LOGNAME PBS_O_PATH PBS_O_QUEUE PBS_O_SHELL PBS_O_SYSTEM PBS_O_WORKDIR PBS_QUEUE PBS_TASKNUM "
    "SHELL TMPDIR USER"
)
_RECORDED_VARIABLES = {
    RELEASE: set(_COMMON.split()),
    MAIN: {*_COMMON.split(), "PBS_O_INTERACTIVE_AUTH_METHOD", "PBS_O_INTERACTIVE_ENCRYPT_METHOD"},
}
