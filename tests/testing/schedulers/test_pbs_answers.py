"""The output of the stand-in's qstat, compared with recorded output of two versions of PBS."""

import json
import re

import pytest

from parsl.testing.schedulers.answers import (
    fold,
    is_bare,
    render_alternative,
    render_dsv,
    render_full,
    render_json,
    render_table,
)
from parsl.testing.schedulers.attributes import full_id, job_attributes, nodefile_text, parse_id
from parsl.testing.schedulers.qsub_options import parse_select
from parsl.testing.schedulers.records import Placement
from tests.testing.schedulers.recorded import (
    DOMAIN,
    MAIN,
    RELEASE,
    SAMPLES,
    SERVER,
    jobs_of,
    sample,
    settings,
)

pytestmark = pytest.mark.usefixtures("utc")

SAME_IN_BOTH = [
    "running", "queued", "queued-can-never-run", "held", "waiting", "finished-exit0", "finished-exit3",
    "finished-signal9", "walltime-killed", "deleted-running", "deleted-queued", "deleted-stubborn",
    "just-after-qdel", "during-epilogue", "rerun", "rerun-running", "suspended", "held-bad-prologue",
    "finished-no-shell", "finished-no-output-dir", "policy-finished", "numeric-account", "node-dead-3s",
    "node-dead-later",
]  # fmt: skip


def full_answer(flavour, name):
    jobs, now_s = jobs_of(flavour, name)
    jobs = [
        (full_id(job.number, SERVER), job_attributes(job, payload, settings(flavour), now_s))
        for job, payload in jobs
    ]
    return jobs, now_s


def measured(text):
    """Without the attributes that depend on the load of the machine."""
    return re.sub(r'((?:mem|walltime|vmem|cpupercent|cput)("?[:= ]\s*)"?)[^\n,|"]*', r"\1…", text)


@pytest.mark.parametrize("flavour", [RELEASE, MAIN])
@pytest.mark.parametrize("name", SAME_IN_BOTH)
def test_json_is_printed_as_recorded(flavour, name):
    jobs, now_s = full_answer(flavour, f"qstat-{name}.json")
    printed = render_json(flavour, SERVER, now_s, "Jobs", jobs)
    assert measured(printed) == measured(sample(flavour, f"qstat-{name}.json"))


def test_a_job_that_is_exiting_is_printed_as_recorded():
    jobs, now_s = full_answer(MAIN, "qstat-exiting.json")
    printed = render_json(MAIN, SERVER, now_s, "Jobs", jobs)
    assert measured(printed) == measured(sample(MAIN, "qstat-exiting.json"))


@pytest.mark.parametrize("flavour", [RELEASE, MAIN])
def test_an_answer_without_jobs_has_no_jobs(flavour):
    recorded = sample(flavour, "qstat-unknown.json")
    printed = render_json(flavour, SERVER, json.loads(recorded)["timestamp"], "Jobs", [])
    assert printed == recorded


@pytest.mark.parametrize("name", ["nan", "infinity", "point5"])
@pytest.mark.parametrize("flavour", [RELEASE, MAIN])
def test_values_that_c_parses_as_numbers_break_the_json_of_the_release(flavour, name):
    recorded = sample(flavour, f"qstat-value-{name}.json")
    jobs, now_s = full_answer(flavour, f"qstat-value-{name}.json")
    printed = render_json(flavour, SERVER, now_s, "Jobs", jobs)
    assert measured(printed) == measured(recorded)
    if flavour == RELEASE and name != "infinity":  # Python reads NaN and Infinity, but not nan and inf
        with pytest.raises(ValueError, match="Expecting value"):
            json.loads(printed)


@pytest.mark.parametrize("flavour", [RELEASE, MAIN])
def test_backslashes_are_escaped_as_badly_as_recorded(flavour):
    recorded = sample(flavour, "qstat-value-regex.json")
    [(job, payload)], now_s = jobs_of(flavour, "qstat-value-regex.json")
    variables = tuple(
        (name, r"\d+" if name == "X" else value, source) for name, value, source in payload.variables
    )
    attributes = job_attributes(job, payload._replace(variables=variables), settings(flavour), now_s)
    printed = render_json(flavour, SERVER, now_s, "Jobs", [(full_id(job.number, SERVER), attributes)])
    assert measured(printed) == measured(recorded)


@pytest.mark.parametrize(
    ("name", "value", "release", "main"),
    [
        ("A", "1", True, True),
        ("B", "1e5", True, True),
        ("X", "nan", True, False),
        ("X", "-Inf", True, False),
        ("X", ".5", True, False),
        ("X", "5.", True, False),
        ("X", "007", True, False),
        ("X", "1_000", False, False),
        ("X", "", False, False),
        ("Account_Name", "123456", True, False),
    ],
)
def test_values_without_quotes(name, value, release, main):
    assert is_bare(RELEASE, name, value) is release
    assert is_bare(MAIN, name, value) is main


@pytest.mark.parametrize("flavour", [RELEASE, MAIN])
def test_long_text_is_as_recorded(flavour):
    if not (SAMPLES / flavour / "qstat-running-fw.txt").exists():
        pytest.skip("not among the samples")
    jobs, _ = full_answer(flavour, "qstat-running.json")
    assert measured(render_full(jobs, True)) == measured(sample(flavour, "qstat-running-fw.txt"))


@pytest.mark.parametrize("flavour", [RELEASE, MAIN])
def test_folded_text_unfolds_to_the_long_one(flavour):
    jobs, _ = full_answer(flavour, "qstat-running.json")
    folded = render_full(jobs, False)
    assert max(len(line) for line in folded.splitlines()) < 80
    assert folded.replace("\n\t", "") == render_full(jobs, True)


def test_a_line_is_folded_at_a_comma_if_it_has_one():
    assert fold("a" * 70 + "," + "b" * 20) == "a" * 70 + ",\n\t" + "b" * 20
    assert fold("c" * 80) == "c" * 79 + "\n\tc"


@pytest.mark.parametrize("flavour", [RELEASE, MAIN])
def test_the_other_format_for_machines_is_as_recorded(flavour):
    recorded = sample(flavour, "qstat-dsv.txt").splitlines(keepends=True)[-1]
    jobs, _ = full_answer(flavour, "qstat-finished-exit0.json")
    assert measured(render_dsv(jobs, "|")) == measured(recorded)


PLAIN = """\
Job id            Name             User              Time Use S Queue
----------------  ---------------- ----------------  -------- - -----
42.aurora-pbs-00* running          sci               00:00:00 R debug           
43.aurora-pbs-00* queued           sci                      0 Q debug           
45.aurora-pbs-00* held             sci                      0 H debug           
"""  # noqa: W291
WIDE = """\

aurora-pbs-0001.hostmgmt.cm.aurora.lcf.lab.test: 
                                                                                                   Req'd  Req'd   Elap
Job ID                         Username        Queue           Jobname         SessID   NDS  TSK   Memory Time  S Time
------------------------------ --------------- --------------- --------------- -------- ---- ----- ------ ----- - -----
42.aurora-pbs-0001.hostmgmt.c* sci             debug           running             2135    2   416    --  00:10 R 00:00    Job run at Sun Nov 22 at 12:24 on (x4000c0s0b0n0:ncpus=208)+(x4000c0s1b0n0:ncpus=208)
43.aurora-pbs-0001.hostmgmt.c* sci             debug           queued               --     4   832    --  00:10 Q   --     Not Running: Not enough free nodes available
45.aurora-pbs-0001.hostmgmt.c* sci             debug           held                 --     1   208    --  00:10 H   --      -- 
"""  # noqa: E501, W291


def three_jobs():
    return [jobs_of(RELEASE, f"qstat-{name}.json")[0][0][0] for name in ("running", "queued", "held")]


def test_the_table_is_as_recorded():
    assert render_table(three_jobs(), SERVER) == PLAIN
    assert render_table([], SERVER) == ""


def test_the_wide_table_is_as_recorded():
    jobs = three_jobs()
    assert render_alternative(jobs, SERVER, jobs[0].started_s + 1, True, True) == WIDE


@pytest.mark.parametrize(
    ("select", "lines"),
    [
        ("1:ncpus=208", ["x0"]),
        ("3:ncpus=208", ["x0", "x1", "x2"]),
        ("2:ncpus=208:mpiprocs=2", ["x0", "x0", "x1", "x1"]),
        ("1:ncpus=208:mpiprocs=1+2:ncpus=104:mpiprocs=3", ["x0", "x1", "x1", "x1", "x2", "x2", "x2"]),
    ],
)
def test_the_node_file_repeats_full_names(select, lines):
    pieces = [chunk for chunk in parse_select(select, 208) for _ in range(chunk.pieces)]
    placements = tuple(
        Placement(f"x{number}{DOMAIN}", chunk.cpus, chunk.processes) for number, chunk in enumerate(pieces)
    )
    assert nodefile_text(placements) == "".join(f"{line}{DOMAIN}\n" for line in lines)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("42", 42),
        (f"42.{SERVER}", 42),
        ("42.aurora-pbs-0001", 42),
        ("42.elsewhere", -1),
        ("foo", None),
        ("", None),
    ],
)
def test_ids_are_long_or_short(text, number):
    assert parse_id(text, SERVER) == number
