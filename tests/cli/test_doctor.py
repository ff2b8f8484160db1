"""``parsl doctor`` as a whole: good configurations, and the findings about broken ones."""

from pathlib import Path

import pytest

from parsl.cli.main import main
from tests.cli.conftest import of_level

GUIDE = Path(__file__).parents[1] / "providers" / "aurora_guide"


def test_the_guides_configuration_would_run(doctor, pbs, environment):
    found = doctor.run(str(GUIDE / "config.py"))
    assert of_level(found, "error") == []
    topics = [topic for topic, _ in of_level(found, "ok")]
    assert topics == [
        "scheduler",
        "queue",
        "launcher",
        "worker_init",
        "python",
        "workers",
        "address",
        "address",
    ]
    script = doctor.script()
    assert "#PBS -l filesystems=home:flare\n" in script
    assert "source $HOME/_env/bin/activate" in script
    assert "mpiexec" in script
    assert "/runinfo/000/HighThroughputExecutor/" in script


def test_nothing_is_submitted_and_nothing_written(doctor, pbs, environment, tmp_path):
    before = sorted(tmp_path.rglob("runinfo*"))
    doctor.run(str(GUIDE / "config.py"))
    assert pbs.jobs() == []
    assert sorted(tmp_path.rglob("runinfo*")) == before


def test_the_report_begins_with_the_verdict_and_shows_the_script_on_request(doctor, pbs, environment, capsys):
    path = str(GUIDE / "config.py")
    assert main(["doctor", path]) == 0
    short = capsys.readouterr().out
    assert short.splitlines()[0].endswith(("would fail.", "certain to fail."))
    assert "#PBS" not in short
    assert short.splitlines()[-1] == "parsl doctor --script also shows the job script."
    assert main(["doctor", "--no-script", path]) == 0
    assert "#PBS" not in capsys.readouterr().out
    assert main(["doctor", "--script", path]) == 0
    long = capsys.readouterr().out
    assert long.index("ok      scheduler: qsub") < long.index("| #PBS -A Aurora_deployment")


def test_the_verdict_on_a_broken_configuration_counts_errors_and_shows_them_first(doctor, home, capsys):
    doctor.check("c = Config([HighThroughputExecutor(provider=SlurmProvider(scheduler_options='--mem=4g'))])")
    assert main(["doctor", "config.py"]) == 1
    verdict, *lines = capsys.readouterr().out.splitlines()
    assert "error" in verdict
    assert verdict.endswith(": config.py would fail.")
    marks = [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "]
    ranks = [["ERROR", "WARNING", "note", "ok"].index(mark) for mark in marks]
    assert len(set(ranks)) > 1
    assert ranks == sorted(ranks)


def test_a_missing_environment_is_found(doctor, pbs, home):
    found = doctor.run(str(GUIDE / "config.py"))
    [(topic, text)] = of_level(found, "error")
    assert topic == "worker_init"
    assert "`source $HOME/_env/bin/activate` fails with exit code 1" in text
    assert f"{home}/_env/bin/activate: No such file" in text


def test_a_missing_environment_is_found_without_running_worker_init(doctor, pbs, home):
    found = doctor.run(str(GUIDE / "config.py"), "--no-worker-init")
    assert of_level(found, "error") == [
        ("worker_init", f"it sources $HOME/_env/bin/activate, but {home}/_env/bin/activate does not exist. ")
    ]


def test_a_missing_scheduler_is_found(doctor, tmp_path, monkeypatch, home):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = doctor.check("c = Config([HighThroughputExecutor(provider=SlurmProvider(worker_init=''))])")
    [text] = [text for topic, text in of_level(found, "error") if topic == "scheduler"]
    assert "sbatch, squeue, scancel are not on the PATH here: SlurmProvider needs" in text


def test_grid_engines_qsub_is_not_mistaken_for_that_of_pbs(doctor, add_command, home):
    for name in ("qsub", "qstat", "qdel"):
        add_command(name, "echo 'Unknown option' >&2; exit 7")
    found = doctor.check(
        "c = Config([HighThroughputExecutor(provider=PBSProProvider(queue='q'))], retries=1)"
    )
    assert any("does not look like that of PBS Pro" in text for _, text in of_level(found, "warning"))


SLURM = (
    "c = Config([HighThroughputExecutor(provider=SlurmProvider(partition='debug', launcher=SrunLauncher()))])"
)


@pytest.fixture
def slurm(add_command, home):
    add_command("squeue", "")
    add_command("scancel", "")
    add_command("srun", "")
    add_command("sbatch", 'echo "$@" >>sbatch.log; echo sbatch: Job 7 to start at noon >&2')
    add_command(
        "scontrol", "echo PartitionName=debug Default=YES MaxNodes=4 MaxTime=1-00:00:00 MinNodes=0 State=UP"
    )


def test_a_dry_run_is_made_unless_the_user_disables_it(doctor, slurm, tmp_path):
    found = doctor.check(SLURM, "--no-dry-run")
    [(_, text)] = [(topic, text) for topic, text in of_level(found, "note") if topic == "dry run"]
    assert "not done" in text
    assert not (tmp_path / "sbatch.log").exists()
    found = doctor.check(SLURM)
    assert ("dry run", "`sbatch --test-only` accepts the job: sbatch: Job 7 to start at noon ") in of_level(
        found, "ok"
    )
    assert (tmp_path / "sbatch.log").read_text().startswith("--test-only ")


def test_a_nonexistent_partition_is_found(doctor, slurm, add_command):
    add_command("scontrol", "echo Partition debug not found; exit 1")
    found = doctor.check(SLURM)
    assert any("does not know it" in text for topic, text in of_level(found, "error") if topic == "queue")


def test_a_refused_dry_run_is_an_error(doctor, slurm, add_command):
    add_command("sbatch", "echo 'sbatch: error: Invalid account' >&2; exit 1")
    found = doctor.check(SLURM)
    assert any(
        "refuses the job: sbatch: error: Invalid account" in text for _, text in of_level(found, "error")
    )


def test_retries_are_recommended_where_jobs_end(doctor, slurm):
    assert any("retries is 0" in text for _, text in of_level(doctor.check(SLURM), "warning"))


BROKEN = [
    ("PBSProProvider(nodes_per_block=0)", "nodes_per_block is 0"),
    ("PBSProProvider(queue='')", "queue is ''"),
    ("PBSProProvider(account=' ')", "account is ' '"),
    ("PBSProProvider(walltime='1 hour')", "walltime is '1 hour'"),
    ("PBSProProvider(launcher=MpiExecLauncher)", "the class MpiExecLauncher"),
    ("PBSProProvider(select_options='ngpus = 4')", "select_options"),
    ("SlurmProvider(partition='')", "partition is ''"),
]


@pytest.mark.parametrize(("provider", "words"), BROKEN)
def test_a_configuration_that_cannot_be_created_is_an_error(doctor, provider, words):
    found = doctor.check(f"c = Config([HighThroughputExecutor(provider={provider})])")
    [(topic, text)] = of_level(found, "error")
    assert topic == "import"
    assert words in text
    assert "in line 6: c = Config(" in text


def test_mpi_tasks_need_a_simple_launcher(doctor):
    found = doctor.check("c = Config([MPIExecutor(provider=PBSProProvider(launcher=MpiExecLauncher()))])")
    assert "SimpleLauncher" in of_level(found, "error")[0][1]


def provider_findings(doctor, provider, level, executor="HighThroughputExecutor", options=""):
    text = f"c = Config([{executor}(provider={provider}{options})], retries=1)"
    return [text for _, text in of_level(doctor.check(text, "--no-worker-init"), level)]


@pytest.mark.parametrize(
    ("provider", "level", "words"),
    [
        ("SlurmProvider(nodes_per_block=2)", "error", "first of a block's 2 nodes only"),
        ("SlurmProvider(nodes_per_block=2, launcher=SimpleLauncher())", "error", "Use SrunLauncher()"),
        ("SlurmProvider(nodes_per_block=2, launcher=WrappedLauncher('x'))", "warning", "one manager for 2"),
        ("PBSProProvider(launcher=SrunLauncher())", "error", "SrunLauncher is not for PBSProProvider"),
        ("SlurmProvider(launcher=JsrunLauncher())", "error", "jsrun needs a job of LSF"),
        (
            "PBSProProvider(launcher=MpiExecLauncher(), scheduler_options='#PBS -l filesystems=home')",
            "error",
            "bind_cmd='--cpu-bind'",
        ),
        ("PBSProProvider(scheduler_options='-l filesystems=home')", "error", "#PBS -l filesystems=home"),
        ("PBSProProvider(worker_init='#PBS -q debug')", "warning", "does not read there"),
        ("LocalProvider(launcher=JsrunLauncher())", "error", "jsrun is not on the PATH here"),
        ("SlurmProvider(launcher=AprunLauncher())", "warning", "aprun is not on the PATH here. It may be"),
        ("LocalProvider(nodes_per_block=3, launcher=SrunLauncher())", "warning", "this is not a batch job"),
        ("PBSProProvider(max_blocks=0, init_blocks=0)", "error", "never be a node"),
        ("PBSProProvider(max_blocks=1, init_blocks=2)", "warning", "init_blocks is 2"),
    ],
)
def test_incompatible_parts_are_found(doctor, provider, level, words):
    assert any(words in text for text in provider_findings(doctor, provider, level))


def test_srun_for_mpi_tasks_needs_slurm(doctor):
    texts = provider_findings(
        doctor, "PBSProProvider(launcher=SimpleLauncher())", "error", "MPIExecutor", ", mpi_launcher='srun'"
    )
    assert any("mpi_launcher='srun' is not for PBSProProvider" in text for text in texts)


def test_more_mpi_tasks_than_nodes(doctor):
    provider = "PBSProProvider(nodes_per_block=2, launcher=SimpleLauncher())"
    texts = provider_findings(doctor, provider, "warning", "MPIExecutor", ", max_workers_per_block=3")
    assert any("max_workers_per_block is 3, but a block has 2 nodes" in text for text in texts)


def test_one_mpi_task_at_a_time_causes_a_note(doctor):
    provider = "PBSProProvider(nodes_per_block=10, launcher=SimpleLauncher())"
    texts = provider_findings(doctor, provider, "note", "MPIExecutor")
    assert any("one task at a time on the 10 nodes" in text for text in texts)
    texts = provider_findings(doctor, provider, "ok", "MPIExecutor", ", max_workers_per_block=5")
    assert any("up to 5 tasks at once on the 10 nodes" in text for text in texts)


@pytest.mark.parametrize(
    ("options", "level", "words"),
    [
        (", available_accelerators=4, max_workers_per_node=8", "warning", "but 4 run: there are 4"),
        (", available_accelerators=4, max_workers_per_node=2", "warning", "2 are not used"),
        (", cpu_affinity='list:0:1', max_workers_per_node=3", "warning", "3 workers are requested"),
        (
            ", cpu_affinity='list:0-7:8-15', max_workers_per_node=2",
            "warning",
            "does not have; left out: 8-15",
        ),
        (", cores_per_worker=9", "error", "No worker fits"),
        (", max_workers_per_node=16", "warning", "max_workers_per_node=16), but 8 run"),
        (", max_workers_per_node=12, available_accelerators=12", "ok", "12 on each node, with 8 CPUs"),
        (", max_workers_per_node=8", "ok", "8 on each node, with 8 CPUs"),
        (", address='127.0.0.1'", "error", "this means that node itself"),
        (", address='no such host'", "error", "cannot resolve"),
        (", address='192.0.2.77'", "warning", "not an address of this host"),
        (", launch_cmd='start {nothing}'", "error", "cannot be filled in"),
        (", drain_period=3600", "warning", "jobs end before they begin to drain"),
        (", worker_logdir_root='/dev/null/logs'", "error", "/dev/null is not a directory"),
    ],
)
def test_an_executor_too_large_for_its_nodes_is_found(doctor, options, level, words):
    texts = provider_findings(doctor, "PBSProProvider(cpus_per_node=8)", level, options=options)
    assert any(words in text for text in texts), texts


@pytest.mark.parametrize(
    "options",
    [
        ", available_accelerators=4, max_workers_per_node=8",
        ", cpu_affinity='list:0:1:2:3', max_workers_per_node=8",
        ", cpu_affinity='list:0:1:2:3', available_accelerators=8",
    ],
)
def test_too_few_workers_are_found_without_knowing_the_node(doctor, options):
    texts = provider_findings(doctor, "SlurmProvider()", "warning", options=options)
    assert any("8 workers are requested" in text and "but 4 run" in text for text in texts), texts


def test_an_occupied_port_is_found(doctor):
    import socket

    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        texts = provider_findings(doctor, "PBSProProvider()", "error", options=f", worker_port={port}")
    assert any(f"port {port} on all interfaces cannot be used" in text for text in texts)


def test_cpus_not_requested_from_pbs_are_found(doctor):
    texts = provider_findings(doctor, "PBSProProvider()", "warning", options=", cpu_affinity='list:0-7'")
    assert any("cpus_per_node is 1" in text for text in texts)


TILES = ", available_accelerators=['0.0', '0.1', '1.0', '1.1']"


@pytest.mark.parametrize("line", ["export ZE_FLAT_DEVICE_HIERARCHY=FLAT", "module load frameworks"])
def test_tiles_that_are_devices_are_noticed_in_the_text(doctor, line):
    provider = f"PBSProProvider(worker_init={line!r})"
    [text] = [text for text in provider_findings(doctor, provider, "note", options=TILES) if "FLAT" in text]
    assert "1.1 to 3" in text


def test_tiles_that_are_devices_are_noticed_after_worker_init(doctor, home):
    (home / "setup.sh").write_text("export ZE_FLAT_DEVICE_HIERARCHY=FLAT\n")
    text = f"c = Config([HighThroughputExecutor(provider=PBSProProvider(worker_init='. ~/setup.sh'){TILES})])"
    assert any(
        "after worker_init" in text
        for topic, text in of_level(doctor.check(text), "note")
        if topic == "tiles"
    )


def test_tiles_that_cannot_be_translated_are_an_error(doctor, monkeypatch):
    monkeypatch.setenv("ZE_FLAT_DEVICE_HIERARCHY", "FLAT")
    options = ", available_accelerators=['0.0', '1.0']"
    texts = provider_findings(doctor, "SlurmProvider()", "error", options=options)
    assert any("how many tiles" in text for text in texts)


@pytest.mark.parametrize("line", ["", "module load frameworks; export ZE_FLAT_DEVICE_HIERARCHY=COMPOSITE"])
def test_tiles_that_are_not_devices_cause_no_finding(doctor, line):
    provider = f"PBSProProvider(worker_init={line!r})"
    assert not any("FLAT" in text for text in provider_findings(doctor, provider, "note", options=TILES))


def test_this_machine_is_fine(doctor):
    found = doctor.check("c = Config([HighThroughputExecutor(max_workers_per_node=1)])")
    assert of_level(found, "error", "warning") == []
    assert any("nothing listens on a network" in text for _, text in of_level(found, "ok"))


def test_threads_need_no_node(doctor):
    found = doctor.check("c = Config()")
    assert of_level(found, "error", "warning") == []


def test_a_run_directory_that_cannot_be_created_is_found(doctor, tmp_path):
    (tmp_path / "file").write_text("")
    found = doctor.check(f"c = Config(run_dir={str(tmp_path / 'file' / 'runs')!r})")
    [(topic, text)] = of_level(found, "error")
    assert topic == "directory"
    assert "is not a directory" in text


def test_a_third_party_provider_is_accepted(doctor):
    found = doctor.check(
        """
from parsl.providers.base import ExecutionProvider

class Mine(ExecutionProvider):
    label = "mine"
    status_polling_interval = 1
    nodes_per_block = "many"
    launcher = SimpleLauncher()
    def submit(self, command, tasks_per_node, job_name="x"): raise AssertionError
    def status(self, job_ids): raise AssertionError
    def cancel(self, job_ids): raise AssertionError

c = Config([HighThroughputExecutor(provider=Mine())])
"""
    )
    assert of_level(found, "error") == []
    assert any("a check could not be made" in text for _, text in of_level(found, "warning"))


@pytest.mark.parametrize("timeout", ["0", "-1", "soon", "inf"])
def test_an_invalid_timeout_is_refused(doctor, timeout, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--timeout", timeout, "x.py"])
    assert ended.value.code == 2
    assert "--timeout" in capsys.readouterr().err
