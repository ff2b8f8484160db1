"""The stand-ins for Torque, LSF and HTCondor: real commands, real jobs."""

import json
import subprocess

import pytest

from parsl.testing.schedulers import Policy
from parsl.testing.schedulers.records import RUNNING
from tests.support.schedulers.clusters import CondorCluster, LSFCluster, TorqueCluster
from tests.support.schedulers.condor import BadDescription, parse_description, split_arguments
from tests.support.schedulers.lsf import parse_run_limit_s, processes_per_node

QUICK = Policy(kill_delay_s=0.5, cpus_per_node=8)


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOGNAME", "sci")
    monkeypatch.chdir(tmp_path)
    made = []

    def make_cluster(kind):
        made.append(kind(tmp_path / "c", 2, policy=QUICK))
        made[-1].activate(monkeypatch)
        return made[-1]

    yield make_cluster
    for cluster in made:
        cluster.close()


def run(*command, stdin=""):
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=30, check=False)


def test_torque_runs_a_job_and_reports_its_end(make, tmp_path):
    cluster = make(TorqueCluster)
    options = "#PBS -l nodes=2:ppn=3,walltime=1:00\n#PBS -N j\n"
    script = f"#!/bin/bash\n{options}cat $PBS_NODEFILE; echo $PBS_NP; exit 2\n"
    job_id = run("qsub", stdin=script).stdout.strip()
    cluster.wait_for(job_id)
    assert (tmp_path / "j.o1").read_text().split() == ["x1000c0s0b0n0"] * 3 + ["x1000c0s1b0n0"] * 3 + ["6"]
    shown = run("qstat", "-f", job_id).stdout
    assert "    job_state = C\n" in shown
    assert "    exit_status = 2\n" in shown
    assert "    Resource_List.nodes = 2:ppn=3\n" in shown
    assert run("qdel", job_id).returncode == 170
    unknown = run("qstat", "99")
    assert (unknown.returncode, unknown.stderr) == (153, "qstat: Unknown Job Id Error 99\n")


def test_lsf_runs_a_script_with_the_interpreter_in_its_first_line(make, tmp_path):
    cluster = make(LSFCluster)
    (tmp_path / "script").write_text("#!/bin/bash\n#BSUB -o out\nprintf -v printed %s bash; echo $printed\n")
    assert cluster.wait_for(run("bsub", "script").stdout.split("<")[1].split(">")[0]).exit_status == 0
    assert (tmp_path / "out").read_text().startswith("bash\n")


def test_torque_ends_a_job_with_271(make):
    cluster = make(TorqueCluster)
    deleted = run("qsub", stdin="sleep 100\n").stdout.strip()
    assert " R workq" in run("qstat").stdout
    run("qdel", deleted)
    late = run("qsub", "-l", "walltime=1", stdin="sleep 100\n").stdout.strip()
    assert [cluster.wait_for(job_id).exit_status for job_id in (deleted, late)] == [271, 271]


def bjobs(*ids):
    columns = "jobid stat exit_code exit_reason pend_reason delimiter='|'"
    return run("bjobs", "-a", "-noheader", "-o", columns, *ids)


def test_lsf_runs_a_job_in_the_submitters_environment(make, tmp_path, monkeypatch):
    monkeypatch.setenv("COLOUR", "blue")
    cluster = make(LSFCluster)
    script = (
        "#!/bin/bash\n#BSUB -J j -W 10\n#BSUB -nnodes 2\n#BSUB -o out.%J\necho $COLOUR $LSB_HOSTS; exit 3\n"
    )
    printed = run("bsub", stdin=script)
    assert printed.stdout == "Job <1> is submitted to queue <normal>.\n"
    cluster.wait_for(1)
    assert (tmp_path / "out.1").read_text().split() == ["blue", *cluster.settings.hosts]
    assert bjobs("1").stdout == "1|EXIT|3|-|-\n"


def test_lsf_kills_and_forgets(make):
    cluster = make(LSFCluster)
    for _ in range(2):
        run("bsub", "-nnodes", "2", "sleep", "100")
    assert bjobs("1", "2").stdout == "1|RUN|-|-|-\n2|PEND|-|-|too few free nodes\n"
    assert run("bkill", "2", "1").stdout == "Job <2> is being terminated\nJob <1> is being terminated\n"
    cluster.wait_for(1)
    assert bjobs("1").stdout == "1|EXIT|130|TERM_OWNER: job killed by owner|-\n"
    unknown = bjobs("9")
    assert (unknown.returncode, unknown.stderr) == (255, "Job <9> is not found\n")
    assert "Job has already finished" in run("bkill", "1").stderr


def test_lsf_refuses(make):
    make(LSFCluster)
    refused = run("bsub", "-W", "soon", "true")
    assert (refused.returncode, refused.stderr) == (
        255,
        "soon: Bad RUNLIMIT specification. Job not submitted.\n",
    )


def condor_q(*more):
    shown = run(
        "condor_q", "-json", "-attributes", "ClusterId,ProcId,JobStatus,ExitCode,RemoveReason", *more
    ).stdout
    return json.loads(shown) if shown else []


def describe(tmp_path, arguments="", **more):
    script = tmp_path / "job script.sh"
    script.write_text('echo "$1" "$WORD"; pwd; ls; exec $2\n')
    values = {
        "executable": "/bin/bash",
        "arguments": f"\"'job script.sh' 'it''s' {arguments}\"",
        "environment": "\"WORD='two words'\"",
        "transfer_input_files": str(script),
        "output": str(tmp_path / "out"),
        "error": str(tmp_path / "err"),
        **more,
    }
    text = "".join(f"{name} = {value}\n" for name, value in values.items())
    (tmp_path / "job.submit").write_text(text + "queue\n")
    return run("condor_submit", str(tmp_path / "job.submit"))


def test_condor_runs_a_job_with_its_files(make, tmp_path):
    cluster = make(CondorCluster)
    done = describe(tmp_path, "false", leave_in_queue="(JobStatus == 4)")
    assert done.stdout == "Submitting job(s).\n1 job(s) submitted to cluster 1.\n", done.stderr
    cluster.wait_for("1.0")
    assert (tmp_path / "out").read_text().splitlines() == [
        "it's two words", f"{tmp_path}/c/tmp/dir_1", "job script.sh",
    ]  # fmt: skip
    assert condor_q("1.0") == [{"ClusterId": 1, "ProcId": 0, "JobStatus": 4, "ExitCode": 1}]


def test_condor_removes_jobs_that_leave_the_queue(make, tmp_path):
    cluster = make(CondorCluster)
    describe(tmp_path, "'sleep 100'")
    describe(
        tmp_path, "'sleep 100'", periodic_remove="(JobStatus == 2) && ((time() - EnteredCurrentStatus) > 1)"
    )
    cluster.wait_for(1, RUNNING)
    assert [ad["JobStatus"] for ad in condor_q("1.0")] == [2]
    assert run("condor_rm", "1.0").stdout == "Job 1.0 marked for removal\n"
    cluster.wait_for(1)
    cluster.wait_for(2)
    assert condor_q() == []
    history = json.loads(run("condor_history", "-json", "-limit", "2").stdout)
    assert [ad["JobStatus"] for ad in history] == [3, 3]
    assert [ad["RemoveReason"].split()[0] for ad in history] == ["The", "via"]
    assert run("condor_rm", "1.0").stderr == "Job 1.0 not found\n"


def test_condor_refuses_unreadable_descriptions(make, tmp_path):
    make(CondorCluster)
    missing = describe(tmp_path, transfer_input_files="nowhere")
    assert missing.returncode == 1
    assert "Can't open" in missing.stderr
    with pytest.raises(BadDescription, match="no 'queue'"):
        parse_description("executable = /bin/true\n")
    with pytest.raises(BadDescription, match="Failed to parse"):
        parse_description("nonsense here\nqueue\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b", ["a", "b"]),
        ("\"a 'b c' d\"", ["a", "b c", "d"]),
        ("\"'it''s' \"\"\"", ["it's", '"']),
        ("\"''\"", [""]),
        ("", []),
    ],
)
def test_condors_arguments(text, words):
    assert split_arguments(text) == words


@pytest.mark.parametrize(("text", "seconds"), [("10", 600), ("1:30", 5400), ("5/host", 300), ("x", None)])
def test_lsfs_run_limit_is_in_minutes(text, seconds):
    assert parse_run_limit_s(text) == seconds


def test_lsfs_processes_per_node():
    assert processes_per_node("span[ptile=4]", 8) == 4
    assert processes_per_node("rusage[mem=1]", 8) == 8
