"""The stand-in for PBS as a whole: real commands, real jobs, and nothing left over."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parsl.testing.schedulers import AURORA_POLICY, PBSCluster, Policy, Queue
from parsl.testing.schedulers.cluster import marked_processes
from parsl.testing.schedulers.records import FINISHED, HELD, QUEUED, RUNNING, SUSPENDED

QUICK = Policy(kill_delay_s=0.5, node_fail_requeue_s=0.3)
DEADLINE_S = 30


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def make(tmp_path, home, monkeypatch):
    """Create a cluster and a home directory without a profile; check that nothing outlives the cluster."""
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SHELL", "/bin/bash")
    monkeypatch.setenv("LOGNAME", "sci")
    monkeypatch.chdir(tmp_path)
    made = []

    def make_cluster(nodes=2, policy=QUICK, **more):
        made.append(PBSCluster(tmp_path / "c", nodes, policy=policy, **more))
        made[-1].activate(monkeypatch)
        return made[-1]

    yield make_cluster
    for cluster in made:
        cluster.close()
        assert marked_processes(cluster.directory) == []
        log = Path(cluster.directory, "runners.log")
        assert not log.exists() or log.read_text() == ""


@pytest.fixture
def cluster(make):
    return make()


def run(*command, stdin=""):
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )


def submit(script, *options):
    done = run("qsub", "-N", "job", *options, stdin=f"#!/bin/bash\n{script}\n")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def wait_for_file(wait_until):
    def wait(path):
        wait_until(path.exists, DEADLINE_S, f"{path}")

    return wait


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b") ")[2][:1] != b"Z"
    except OSError:
        return False


def test_a_job_runs_with_the_nodes_and_environment_from_pbs(cluster, tmp_path, home):
    job_id = submit(
        "pwd; cat $PBS_NODEFILE; echo $PBS_O_WORKDIR; test -d $TMPDIR && echo scratch; echo oops >&2; exit 3",
        "-l", "select=2:ncpus=208:mpiprocs=2",
    )  # fmt: skip
    job = cluster.wait_for(job_id)
    number = job.number
    hosts = [host for host in cluster.settings.hosts for _ in range(2)]
    printed = (tmp_path / f"job.o{number}").read_text().splitlines()
    assert printed == [str(home), *hosts, str(tmp_path), "scratch"]
    assert (tmp_path / f"job.e{number}").read_text() == "oops\n"
    assert (job.exit_status, job.state, job.run_count) == (3, FINISHED, 1)
    assert os.listdir(tmp_path / "c" / "tmp") == []


def test_output_appears_at_the_end_unless_it_is_kept(cluster, tmp_path, wait_for_file):
    go = tmp_path / "go"
    wait = f"echo printed; touch $PBS_JOBID; while [ ! -e {go} ]; do sleep 0.01; done"
    spooled, kept = submit(f"cd {tmp_path}; {wait}"), submit(f"cd {tmp_path}; {wait}", "-k", "doe")
    wait_for_file(tmp_path / spooled)
    wait_for_file(tmp_path / kept)
    assert not (tmp_path / "job.o1").exists()
    assert (tmp_path / "job.o2").read_text() == "printed\n"
    go.touch()
    cluster.wait_for(spooled)
    assert (tmp_path / "job.o1").read_text() == "printed\n"


def test_output_can_be_joined_and_its_directory_may_be_missing(cluster, tmp_path):
    joined = submit("echo out; echo err >&2", "-j", "oe", "-o", "both")
    nowhere = submit("echo out", "-o", "no/such/dir/o")
    cluster.wait_for(joined)
    assert (tmp_path / "both").read_text() == "out\nerr\n"
    lost = cluster.wait_for(nowhere)
    assert (lost.exit_status, lost.stageout_status) == (0, 0)
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("script", "options", "status"),
    [("kill -9 $$", (), 137), ("exit 0", ("-S", "/bin/nosuchshell"), 254), ("true", (), 0)],
)
def test_exit_statuses_are_as_recorded(cluster, script, options, status):
    assert cluster.wait_for(submit(script, *options)).exit_status == status


def test_the_walltime_is_enforced(cluster, tmp_path):
    job = cluster.wait_for(submit("sleep 100", "-l", "walltime=1"))
    assert (job.exit_status, job.end_reason) == (-29, "walltime")
    assert job.comment.endswith("and exceeded resource walltime")
    assert "=>> PBS: job killed: walltime 2 exceeded limit 1\n" in (tmp_path / "job.e1").read_text()


def test_a_deleted_job_ends_with_all_its_processes(cluster, tmp_path, wait_for_file):
    pids = tmp_path / "pids"
    job_id = submit(f"(setsid sleep 100 & echo $! >> {pids}); echo $$ >> {pids}; touch {pids}.ok; sleep 100")
    wait_for_file(tmp_path / "pids.ok")
    assert run("qdel", job_id).returncode == 0
    job = cluster.wait_for(job_id)
    assert job.exit_status == 271
    assert job.comment.endswith(f"and terminated by sci@{cluster.login_host}")
    assert not any(is_running(int(pid)) for pid in pids.read_text().split())


def test_a_job_that_ignores_sigterm_is_killed_after_a_while(cluster, tmp_path, wait_for_file):
    job_id = submit(f"trap '' TERM; touch {tmp_path}/ok; while true; do sleep 0.1; done")
    wait_for_file(tmp_path / "ok")
    began_s = time.monotonic()
    run("qdel", job_id)
    assert cluster.job(job_id).state == RUNNING
    assert cluster.wait_for(job_id).exit_status == 271
    assert time.monotonic() - began_s > QUICK.kill_delay_s


def test_processes_left_by_a_script_end_with_its_job(cluster, tmp_path):
    cluster.wait_for(submit(f"setsid sleep 100 & echo $! > {tmp_path}/pid"))
    assert not is_running(int((tmp_path / "pid").read_text()))


def test_a_waiting_job_starts_when_there_is_room(cluster):
    first, second = submit("sleep 100", "-l", "select=2"), submit("true")
    assert cluster.job(second).comment == "Not Running: Not enough free nodes available"
    run("qdel", first)
    assert cluster.wait_for(second).exit_status == 0


def test_a_job_deleted_while_it_waits_has_no_exit_status(cluster):
    cluster.set_scheduling(False)
    job_id = submit("true")
    assert run("qdel", job_id).returncode == 0
    job = cluster.job(job_id)
    assert (job.state, job.exit_status) == (FINISHED, None)


def test_a_queue_may_run_one_job_of_each_user_only(make):
    cluster = make(
        policy=QUICK._replace(queues=(Queue("debug", max_running_per_user=1),), default_queue="debug")
    )
    first, second = submit("sleep 100"), submit("true")
    assert cluster.job(second).state == QUEUED
    run("qdel", first)
    cluster.wait_for(second)


def test_a_job_that_can_never_run_waits_forever_with_the_reason(cluster):
    job_id = submit("true", "-l", "select=3")
    assert cluster.job(job_id).comment == "Can Never Run: Not enough total nodes available"
    assert run("qstat", "-f", "-w", job_id).stdout.count("comment = Can Never Run") == 1


def jobs_in(answer):
    return {name: job["job_state"] for name, job in json.loads(answer).get("Jobs", {}).items()}


def test_the_release_reports_all_requested_jobs_and_the_main_branch_the_first(make):
    for flavour, shown in (("v23.06.06", 2), ("main-2026-04", 1)):
        cluster = make(flavour=flavour)
        ids = [submit("sleep 100"), submit("sleep 100")]
        done = run("qstat", "-f", "-F", "json", *ids)
        assert (done.returncode, len(jobs_in(done.stdout))) == (0, shown)
        assert len(jobs_in(run("qstat", "-f", "-F", "json").stdout)) == 2
        cluster.close()
        os.unlink(os.path.join(cluster.directory, "cluster.db"))


def test_qstat_fails_as_recorded(cluster):
    running, finished = submit("sleep 100"), submit("true")
    cluster.wait_for(finished)
    server = cluster.server
    mixed = run("qstat", "-x", "-f", "-F", "json", running, "999", finished)
    assert (mixed.returncode, mixed.stderr) == (153, f"qstat: Unknown Job Id 999.{server}\n")
    assert jobs_in(mixed.stdout) == {running: "R", finished: "F"}
    without_x = run("qstat", "-f", "-F", "json", "2")
    assert without_x.returncode == 35
    assert without_x.stderr == (
        f"qstat: {finished} Job has finished, use -x or -H to obtain historical job information\n"
    )
    illegal = run("qstat", "-f", "-F", "json", "foo")
    assert (illegal.returncode, illegal.stderr) == (170, "qstat: Unknown queue destination foo\n")
    assert "Jobs" not in json.loads(illegal.stdout)


def test_qdel_fails_as_recorded_and_deletes_the_others(cluster):
    finished, live = submit("true"), submit("sleep 100")
    cluster.wait_for(finished)
    done = run("qdel", finished, live)
    assert (done.returncode, done.stderr) == (35, f"qdel: Job has finished {finished}\n")
    assert cluster.wait_for(live).exit_status == 271
    assert run("qdel", "99").returncode == 153
    assert run("qdel", "foo").stderr == "qdel: illegally formed job identifier: foo\n"


def test_without_history_finished_jobs_are_unknown(make):
    cluster = make(policy=QUICK._replace(history=False))
    job_id = submit("true")
    cluster.wait_for(job_id)
    refused = run("qstat", "-x", "-f", "-F", "json", job_id)
    assert refused.returncode == 0
    assert refused.stderr == f"qstat: PBS is not configured to maintain job history {job_id}\n"
    assert run("qstat", job_id).returncode == 153


@pytest.mark.parametrize(
    ("fault", "code", "stdout", "stderr"),
    [
        ("exit 7", 7, "", "qstat: something went wrong\n"),
        ("empty", 0, "", ""),
        ("say nonsense", 0, "nonsense\n", ""),
        ("refuse no way", 1, "", "no way\n"),
    ],
)
def test_qstat_misbehaves_as_often_as_it_should(cluster, fault, code, stdout, stderr):
    cluster.misbehave("qstat", fault, times=1)
    done = run("qstat")
    assert (done.returncode, done.stdout, done.stderr) == (code, stdout, stderr)
    assert run("qstat").returncode == 0
    assert cluster.calls("qstat") == 2


def test_an_answer_can_be_cut_in_half(cluster):
    submit("sleep 100")
    cluster.misbehave("qstat", "half")
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        json.loads(run("qstat", "-f", "-F", "json").stdout)
    cluster.behave()
    assert jobs_in(run("qstat", "-f", "-F", "json").stdout)


def test_a_server_that_is_down_prints_only_the_envelope(cluster):
    submit("sleep 100")
    cluster.misbehave("qstat", "server-down")
    done = run("qstat", "-f", "-F", "json")
    assert (done.returncode, jobs_in(done.stdout)) == (255, {})
    assert done.stderr.startswith("Connection refused\nqstat: cannot connect to server pbs-0001")


def test_qsub_refuses_on_request(cluster):
    cluster.misbehave("qsub", "queue-disabled", times=1)
    refused = run("qsub", stdin="true\n")
    assert (refused.returncode, refused.stderr) == (173, "qsub: Queue is not enabled\n")
    assert submit("true").startswith("2.")


def test_a_hanging_command_is_released_at_the_end_of_the_cluster(cluster, wait_until):
    cluster.misbehave("qstat", "hang")
    with subprocess.Popen(["qstat"], stdout=subprocess.PIPE) as hanging:
        wait_until(lambda: cluster.calls("qstat") == 1, DEADLINE_S)
        with pytest.raises(subprocess.TimeoutExpired):
            hanging.wait(0.2)
        cluster.close()
        assert hanging.wait(DEADLINE_S) == 0


def test_a_job_can_be_forgotten_and_its_state_be_nonsense(cluster):
    forgotten, odd = submit("sleep 100"), submit("sleep 100")
    cluster.forget(forgotten)
    cluster.claim_state(odd, "Y")
    done = run("qstat", "-f", "-F", "json", forgotten, odd)
    assert (done.returncode, jobs_in(done.stdout)) == (153, {odd: "Y"})
    assert cluster.job(forgotten).state == RUNNING


def test_a_requeued_job_runs_again_under_the_same_id(cluster, tmp_path, wait_for_file):
    job_id = submit(f"echo run >> {tmp_path}/runs; [ -e {tmp_path}/again ] || sleep 100")
    wait_for_file(tmp_path / "runs")
    (tmp_path / "again").touch()
    cluster.requeue(job_id)
    job = cluster.wait_for(job_id)
    assert (job.exit_status, job.run_count) == (0, 2)
    assert (tmp_path / "runs").read_text() == "run\nrun\n"


def test_a_held_job_waits_until_it_is_released(cluster):
    cluster.set_scheduling(False)
    job_id = submit("true")
    cluster.hold(job_id, "job held, too many failed attempts to run", by="s")
    cluster.set_scheduling(True)
    assert cluster.job(job_id).state == HELD
    cluster.release(job_id)
    cluster.wait_for(job_id)


def test_a_job_can_be_suspended(cluster, tmp_path):
    job_id = submit(f"while [ ! -e {tmp_path}/go ]; do sleep 0.02; done")
    cluster.suspend(job_id)
    cluster.wait_for(job_id, SUSPENDED)
    (tmp_path / "go").touch()
    cluster.resume(job_id)
    assert cluster.wait_for(job_id).exit_status == 0


def test_a_job_on_a_node_that_died_runs_again_elsewhere(cluster, tmp_path, wait_for_file):
    only_once = f"if mkdir {tmp_path}/begun; then sleep 100; fi"
    job_id = submit(f"cat $PBS_NODEFILE >> {tmp_path}/nodes; {only_once}")
    wait_for_file(tmp_path / "begun")
    cluster.fail_node(cluster.settings.hosts[0])
    assert cluster.job(job_id).state == RUNNING
    assert "down" in run("pbsnodes", "-l").stdout
    job = cluster.wait_for(job_id)
    assert (job.exit_status, job.run_count) == (0, 2)
    assert (tmp_path / "nodes").read_text().split() == list(cluster.settings.hosts)


def test_ranks_on_another_node_die_with_it(cluster, tmp_path, wait_for_file):
    script = f'mpiexec --ppn 1 bash -c "echo \\$\\$ > {tmp_path}/rank\\$PALS_RANKID; sleep 100"'
    job_id = submit(script, "-l", "select=2")
    wait_for_file(tmp_path / "rank0")
    wait_for_file(tmp_path / "rank1")
    cluster.fail_node(cluster.settings.hosts[1])
    assert cluster.wait_for(job_id).exit_status == 137


def test_a_walltime_can_be_ended_at_once(cluster):
    job_id = submit("sleep 100")
    cluster.end_walltime(job_id)
    assert cluster.wait_for(job_id).exit_status == -29


def test_a_job_in_a_slow_epilogue_is_reported_as_running(make, tmp_path, wait_for_file):
    cluster = make(policy=QUICK._replace(epilogue_s=0.5))
    job_id = submit(f"touch {tmp_path}/ended")
    wait_for_file(tmp_path / "ended")
    assert cluster.job(job_id).state == RUNNING
    cluster.wait_for(job_id)


def test_the_end_of_the_cluster_ends_its_jobs(cluster, tmp_path, wait_for_file):
    job_id = submit(
        f"trap '' TERM; echo $$ > {tmp_path}/pid; touch {tmp_path}/ok; while true; do sleep 0.1; done"
    )
    wait_for_file(tmp_path / "ok")
    cluster.close()
    assert cluster.job(job_id).state == FINISHED
    assert not is_running(int((tmp_path / "pid").read_text()))
    assert run("qsub", stdin="true\n").returncode == 162


def test_a_killed_runner_leaves_nothing_at_the_end(cluster, tmp_path, wait_for_file):
    job_id = submit(f"echo $$ > {tmp_path}/pid; touch {tmp_path}/ok; sleep 100")
    wait_for_file(tmp_path / "ok")
    os.kill(cluster.job(job_id).runner_pid, signal.SIGKILL)
    cluster.close()
    assert not is_running(int((tmp_path / "pid").read_text()))


def test_jobs_end_with_the_owner_of_the_cluster(tmp_path, monkeypatch, wait_for_file, wait_until):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)  # the directory of the output
    script = tmp_path / "job.sh"
    script.write_text(f"#!/bin/bash\necho $$ > {tmp_path}/pid; touch {tmp_path}/ok; sleep 100\n")
    program = f"""
import signal, subprocess
from parsl.testing.schedulers import PBSCluster
cluster = PBSCluster({str(tmp_path / "c")!r}, 1)
subprocess.run(["qsub", {str(script)!r}], env=cluster.environment(), check=True)
signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", program]) as owner:
        wait_for_file(tmp_path / "ok")
        owner.kill()
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not is_running(pid), DEADLINE_S)


def test_many_at_once_get_different_numbers_and_all_run(cluster):
    commands = [
        subprocess.Popen(
            ["qsub", "-l", "select=1:ncpus=20", "--", "/bin/true"], stdout=subprocess.PIPE, text=True
        )
        for _ in range(20)
    ]
    ids = {command.communicate(timeout=DEADLINE_S)[0].strip() for command in commands}
    assert len(ids) == 20
    for job_id in ids:
        assert cluster.wait_for(job_id, timeout_s=DEADLINE_S).exit_status == 0


def test_the_policy_of_aurora_requires_filesystems(make):
    make(policy=AURORA_POLICY)
    refused = run("qsub", "-A", "x", "-q", "debug", "-l", "select=1,walltime=0:05:00", stdin="true\n")
    assert (refused.returncode, refused.stderr) == (
        32,
        "qsub: Resource: filesystems is required to be set.\n",
    )


def test_the_repr_of_a_cluster_describes_it(cluster):
    submit("sleep 100")
    assert repr(cluster) == "<PBSCluster 2 nodes: 1 running>"
    with pytest.raises(KeyError, match="There never was a job '99'"):
        cluster.job("99")


def test_a_wrong_cluster_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one node"):
        PBSCluster(tmp_path, hosts=[])
    with pytest.raises(ValueError, match="no flavour 'v1'"):
        PBSCluster(tmp_path, flavour="v1")


def test_the_command_line_runs_a_command_next_to_a_cluster(tmp_path):
    done = run(
        sys.executable, "-m", "parsl.testing.schedulers", "pbs", "--nodes", "3", "--",
        "bash", "-c", "pbsnodes -a | grep -c Mom; exit 5",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (5, "3\n"), done.stderr


def test_queues_report_their_limits(make):
    make(policy=AURORA_POLICY)
    assert run("qstat", "-Qf", "nosuch").returncode == 170
    shown = run("qstat", "-Qf", "debug")
    assert shown.stdout.startswith("Queue: debug\n    queue_type = Execution\n    total_jobs = 0\n")
    assert "    resources_max.nodect = 2\n    resources_max.walltime = 01:00:00\n" in shown.stdout
    assert "    max_run = [u:PBS_GENERIC=1]\n    enabled = True\n" in shown.stdout
    assert run("qstat", "-Q").stdout.count("Exe*") == len(AURORA_POLICY.queues)
