"""Job scripts whose lines would not reach the scheduler, and launchers that start too many managers."""

import pytest

from parsl.providers import SlurmProvider
from tests.cli.conftest import of_level

MPIEXEC = "MpiExecLauncher(bind_cmd='--cpu-bind', overrides={!r})"


@pytest.fixture
def findings(doctor):
    """The findings of a level about a HighThroughputExecutor with this provider."""

    def check(provider, level, options=""):
        text = f"c = Config([HighThroughputExecutor(provider={provider}{options})], retries=1)"
        found = doctor.check(text, "--no-worker-init", "--no-dry-run")
        assert not any("a check could not be made" in words for _, words in of_level(found, "warning"))
        return [words for topic, words in of_level(found, level) if topic in ("job script", "launcher")]

    return check


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ("PBSProProvider(scheduler_options='# PBS -l place=pack')", "as in '#PBS -l place=pack'"),
        ("PBSProProvider(scheduler_options='#pbs -l place=pack')", "as in '#PBS -l place=pack'"),
        ("PBSProProvider(scheduler_options='#SBATCH -C gpu')", "takes for a comment: '#SBATCH -C"),
        ("SlurmProvider(scheduler_options='#PBS -l ngpus=1')", "Begin it with #SBATCH and a space"),
        ("LSFProvider(scheduler_options='# BSUB -x')", "as in '#BSUB -x'"),
        ("GridEngineProvider(scheduler_options='# $ -l mem=1G')", "as in '#$ -l mem=1G'"),
        ("PBSProProvider(select_options='ngpus=4:ncpus=8')", "PBS would get ncpus twice"),
    ],
)
def test_directives_that_the_scheduler_treats_as_comments(findings, provider, words):
    assert any(words in text for text in findings(provider, "error"))


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ("PBSProProvider(scheduler_options='#PBS -l place=pack,walltime=3:00:00')", "walltime is '00:20:00'"),
        ("PBSProProvider(queue='a', scheduler_options='#PBS -q b')", "queue is 'a'"),
        ("SlurmProvider(scheduler_options='#SBATCH --exclusive -t 30')", "walltime is '00:10:00'"),
        ("SlurmProvider(scheduler_options='#SBATCH --nodes=4')", "nodes_per_block is 1"),
        ("LSFProvider(scheduler_options='#BSUB -W 30')", "walltime is '00:10:00'"),
        ("GridEngineProvider(scheduler_options='#$ -l mem=1G,h_rt=30')", "walltime is '00:10:00'"),
    ],
)
def test_directives_given_twice(findings, provider, words):
    [text] = [text for text in findings(provider, "warning") if "Parsl uses the latter" in text]
    assert words in text


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ("PBSProProvider(scheduler_options='#PBS -l select=2:ncpus=8+2')", "of 4 nodes or parts, but nodes_"),
        ("TorqueProvider(scheduler_options='#PBS -l nodes=4')", "Set nodes_per_block=4 if each part"),
        (
            "PBSProProvider(select_options='ngpus=4', scheduler_options='#PBS -l select=1')",
            "select_options is 'ngpus=4', but scheduler_options requests '1', which wins",
        ),
    ],
)
def test_a_request_of_nodes_that_does_not_fit_the_parameters(findings, provider, words):
    assert any(words in text for text in findings(provider, "warning"))


@pytest.mark.parametrize(
    "provider",
    [
        "PBSProProvider(scheduler_options='#PBS -l select=1:ncpus=8:ngpus=4')",
        "PBSProProvider(scheduler_options='  #PBS -l filesystems=home:flare\\n# walltime=1 is too short')",
        "PBSProProvider(scheduler_options='#PBS -q b -A c')",
        "SlurmProvider(scheduler_options='#SBATCH --ntasks-per-core=1\\n##SBATCH -t 5\\n#SBATCH -p x')",
        "GridEngineProvider(scheduler_options='#$ -pe mpi 4')",
        "SlurmProvider(scheduler_options='#SBATCH --exclusive # main -t one')",
    ],
)
def test_correct_lines_cause_no_finding(findings, provider):
    assert not [
        text for text in findings(provider, "error") + findings(provider, "warning") if "_options" in text
    ]


def test_a_directive_may_be_indented_in_the_configuration(tmp_path):
    provider = SlurmProvider(scheduler_options="\n    #SBATCH --gres=gpu:1\n    #SBATCH -C gpu\n")
    [script] = provider.preview("true").values()
    assert "\n#SBATCH --gres=gpu:1\n#SBATCH -C gpu\n" in script


@pytest.mark.parametrize(
    ("launcher", "nodes", "words"),
    [
        (MPIEXEC.format("--ppn 12"), 2, "--ppn 12, but 2 managers are started"),
        (MPIEXEC.format("-ppn=12 --depth 8"), 2, "-ppn 12, but 2 managers"),
        (MPIEXEC.format("-n 12 --ppn 12"), 1, "-n 12: that many managers start on the block's 1 node,"),
        ("SrunLauncher(overrides='--ntasks-per-node=8')", 2, "--ntasks-per-node 8, but 2 managers"),
        ("SrunLauncher(overrides='-n 8')", 2, "on the block's 2 nodes, each with all workers"),
    ],
)
def test_a_launcher_that_starts_more_than_one_manager_on_a_node(findings, launcher, nodes, words):
    assert any(
        words in text
        for text in findings(f"LocalProvider(nodes_per_block={nodes}, launcher={launcher})", "error")
    )


@pytest.mark.parametrize(
    "overrides", ["", "--ppn 1", "--depth=64 --ppn 1", "-n 2 --ppn 1", "--env 'A=b c'", "it's"]
)
def test_a_launcher_that_starts_one_manager_per_node_causes_no_finding(findings, overrides):
    texts = findings(f"PBSProProvider(nodes_per_block=2, launcher={MPIEXEC.format(overrides)})", "error")
    assert not any("overrides" in text for text in texts)


NOT_ALONE = "exclusive=False, launcher=SrunLauncher()"


@pytest.mark.parametrize(
    ("options", "is_reported"),
    [
        (NOT_ALONE, True),
        (f"{NOT_ALONE}, cores_per_node=8", False),
        (f"{NOT_ALONE}, scheduler_options='#SBATCH --cpus-per-task=8'", False),
        ("launcher=SrunLauncher()", False),
    ],
)
def test_a_share_of_a_node_is_one_core_unless_more_is_requested(doctor, options, is_reported):
    for executor, launcher in {
        "HighThroughputExecutor": "SrunLauncher",
        "MPIExecutor": "SimpleLauncher",
    }.items():
        provider = f"SlurmProvider({options.replace('SrunLauncher', launcher)})"
        text = f"c = Config([{executor}(provider={provider})], retries=1)"
        found = doctor.check(text, "--no-worker-init", "--no-dry-run")
        assert any("gives a job one core" in words for _, words in of_level(found, "warning")) is is_reported


@pytest.mark.parametrize(
    ("accelerators", "more", "is_reported"),
    [
        ("12", "cpus_per_node=208", True),
        ("6", "cpus_per_node=208", False),
        ("12", "cpus_per_node=64", False),
        ("12", "cpus_per_node=208, worker_init='module load frameworks'", False),
        ("[f'{g}.{t}' for g in range(6) for t in range(2)]", "cpus_per_node=208", False),
    ],
)
def test_auroras_devices_are_six_unless_tiles_are_devices(doctor, accelerators, more, is_reported):
    found = doctor.check(
        f"c = Config([HighThroughputExecutor(available_accelerators={accelerators}, "
        f"provider=PBSProProvider({more}))], retries=1)",
        "--no-worker-init",
    )
    assert (
        any("half of the workers would see no GPU" in words for _, words in of_level(found, "warning"))
        is is_reported
    )
