"""The job scripts that providers submit: directives first, then the same Bash for all of them."""

from __future__ import annotations

import subprocess

import pytest

from parsl.launchers import SimpleLauncher, WrappedLauncher
from parsl.providers import (
    CondorProvider,
    GridEngineProvider,
    LSFProvider,
    PBSProProvider,
    SlurmProvider,
    TorqueProvider,
)

ALL = (CondorProvider, GridEngineProvider, LSFProvider, PBSProProvider, SlurmProvider, TorqueProvider)


def files_of(provider, directory="/run dir/it's", tasks_per_node=1, launcher=None):
    provider.launcher = launcher or SimpleLauncher()
    provider.script_dir = directory
    texts = provider.preview("run-managers", tasks_per_node, "parsl.htex.block-0")
    return {path.rpartition(".")[2]: text for path, text in texts.items()}


def directives(provider, **options):
    """The directives of a script without its name and its paths."""
    lines = files_of(provider, directory="/run", **options)["sh"].splitlines()
    return [
        line for line in lines if line.startswith("#") and "/run" not in line and "parsl.htex" not in line
    ][1:]


@pytest.mark.parametrize("kind", ALL)
def test_scripts_are_bash_and_keep_user_options(kind):
    script = files_of(
        kind(worker_init="module load x; echo {{y}} $HOME", scheduler_options="#KEEP  this\n#and")
    )
    text = "".join(script.values())
    assert subprocess.run(["bash", "-n"], input=script["sh"], text=True, check=False).returncode == 0
    assert "\nmodule load x; echo {{y}} $HOME\n" in text
    assert "\n#KEEP  this\n#and\n" in text
    assert "\nexport JOBNAME=parsl.htex.block-0.0\n" in text
    assert text.startswith("#!/bin/bash\n")
    assert script["sh"].endswith("\nrun-managers\n")


@pytest.mark.parametrize("kind", ALL)
def test_omitted_options_leave_no_trace(kind):
    assert "None" not in "".join(files_of(kind()).values())


@pytest.mark.parametrize("select_options", ["ngpus=4:mem=1gb", ":ngpus=4:mem=1gb", " ngpus=4:mem=1gb: "])
def test_pbspro(select_options):
    provider = PBSProProvider(
        account="acc", queue="q", nodes_per_block=2, cpus_per_node=208, select_options=select_options,
        walltime="0:30:00", scheduler_options="#PBS -l filesystems=home:flare",
    )  # fmt: skip
    assert directives(provider) == [
        "#PBS -S /bin/bash", "#PBS -m n", "#PBS -q q", "#PBS -A acc", "#PBS -l walltime=00:30:00",
        "#PBS -l select=2:ncpus=208:ngpus=4:mem=1gb", "#PBS -j oe", "#PBS -l filesystems=home:flare",
        "# The output goes to these files directly: schedulers may deliver it only after the job has ended.",
    ]  # fmt: skip
    assert "#PBS -l select=1:ncpus=1" in directives(PBSProProvider())


@pytest.mark.parametrize("kind", [PBSProProvider, TorqueProvider])
@pytest.mark.parametrize(
    "line",
    [
        "#PBS -l select=2:ncpus=64:ngpus=4",
        "#PBS -l place=scatter,select=2:ncpus=64",
        "  #PBS -q debug -lnodes=2:ppn=8 # -l",
        "#PBS -l nodes=node1+node2",
    ],
)
def test_a_request_of_nodes_by_the_user_replaces_that_of_the_parameters(kind, line):
    lines = directives(kind(scheduler_options=f"#PBS -l filesystems=home\n{line}"))
    requests = [one for one in lines if "select=" in one or "nodes=" in one]
    assert requests == [line.strip()]


@pytest.mark.parametrize(
    "line", ["##PBS -l select=2", "#PBS -q b # -l select=2", "#PBS -l preselect=2", "#SBATCH -l select=2"]
)
def test_a_comment_is_no_request_of_nodes(line):
    assert "#PBS -l select=1:ncpus=1" in directives(PBSProProvider(scheduler_options=line))


def test_pbspro_paths_with_blanks():
    text = files_of(PBSProProvider())["sh"]
    assert "\n#PBS -N parsl.htex.block-0.0\n" in text
    assert '\n#PBS -o "/run dir/it\'s/parsl.htex.block-0.0.scheduler"\n' in text


def test_torque():
    provider = TorqueProvider(account="acc", nodes_per_block=3, walltime="90")
    assert directives(provider, tasks_per_node=2) == [
        "#PBS -S /bin/bash", "#PBS -m n", "#PBS -A acc", "#PBS -l walltime=00:01:30", "#PBS -l nodes=3:ppn=2",
        "#PBS -j oe",
        "# The output goes to these files directly: schedulers may deliver it only after the job has ended.",
    ]  # fmt: skip


def test_slurm():
    launcher = WrappedLauncher("srun")
    provider = SlurmProvider(
        partition="p", account="a", qos="q", constraint="gpu & hbm", clusters="c1,c2", nodes_per_block=2,
        cores_per_node=8, mem_per_node=10, gpus_per_node=2, gres="gpu:2", walltime="90",
    )  # fmt: skip
    assert directives(provider, tasks_per_node=2, launcher=launcher) == [
        "#SBATCH --open-mode=append", "#SBATCH --nodes=2", "#SBATCH --time=01:30:00",
        "#SBATCH --ntasks-per-node=2", "#SBATCH --exclusive", "#SBATCH --partition=p", "#SBATCH --account=a",
        "#SBATCH --qos=q", '#SBATCH --constraint="gpu & hbm"', "#SBATCH --clusters=c1,c2",
        "#SBATCH --gpus-per-node=2", "#SBATCH --gres=gpu:2", "#SBATCH --mem=10240M",
        "#SBATCH --cpus-per-task=4",
    ]  # fmt: skip
    text = files_of(provider)["sh"]
    assert "\nexport PARSL_MEMORY_GB=10\nexport PARSL_CORES=8\n" in text


def test_slurm_uses_the_executors_node_requirements():
    provider = SlurmProvider(exclusive=False)
    assert directives(provider) == [
        "#SBATCH --open-mode=append", "#SBATCH --nodes=1", "#SBATCH --time=00:10:00",
        "#SBATCH --ntasks-per-node=1",
    ]  # fmt: skip
    provider.cores_per_node, provider.mem_per_node = 4, 2.5
    found = directives(provider, launcher=WrappedLauncher("srun"))
    assert found[4:] == ["#SBATCH --mem=2560M", "#SBATCH --cpus-per-task=4"]


@pytest.mark.parametrize(
    ("options", "tasks"),
    [("", 8), ("#SBATCH --cpus-per-task=2", 4), ("#SBATCH -C x -c 4", 2), ("#SBATCH -c16", 1), ("# -c 2", 8)],
)
def test_each_mpi_rank_on_a_slurm_node_may_be_a_task(options, tasks):
    """The job script of an MPIExecutor is not launched as a task, and its ranks share the node's cores."""
    provider = SlurmProvider(cores_per_node=8, scheduler_options=options)
    found = directives(provider, launcher=SimpleLauncher())
    assert f"#SBATCH --ntasks-per-node={tasks}" in found
    assert "#SBATCH --cpus-per-task=8" not in found


def test_slurm_output_paths_contain_no_patterns():
    text = files_of(SlurmProvider(), directory="/run dir/100%j")["sh"]
    assert '\n#SBATCH --output="/run dir/100%%j/parsl.htex.block-0.0.stdout"\n' in text


def test_lsf_by_nodes_and_by_cores():
    by_nodes = directives(LSFProvider(nodes_per_block=2, project="pr", queue="q", walltime="1:30"))
    assert by_nodes[:4] == ["#BSUB -W 90", "#BSUB -P pr", "#BSUB -q q", "#BSUB -nnodes 2"]
    provider = LSFProvider(request_by_nodes=False, cores_per_block=10, cores_per_node=4)
    assert provider.nodes_per_block == 3
    assert directives(provider)[:3] == ["#BSUB -W 10", "#BSUB -n 10", '#BSUB -R "span[ptile=4]"']


def test_grid_engine():
    lines = directives(GridEngineProvider(queue="all.q", walltime="60"))
    assert lines[:5] == ["#$ -S /bin/bash", "#$ -cwd", "#$ -j y", "#$ -l h_rt=00:01:00", "#$ -q all.q"]


def test_condor():
    provider = CondorProvider(
        nodes_per_block=2, cores_per_slot=3, mem_per_slot=2.5, environment={"A": "b c", "Q": "x\"y'z"},
        project="pr", transfer_input_files=["/a b", "c"], requirements="Memory > 1", walltime="60",
    )  # fmt: skip
    files = files_of(provider)
    lines = files["submit"].splitlines()
    assert lines[:4] == [
        "universe = vanilla",
        "batch_name = parsl.htex.block-0.0",
        "executable = /bin/bash",
        "arguments = \"'parsl.htex.block-0.0.sh'\"",
    ]
    assert {
        "transfer_input_files = /run dir/it's/parsl.htex.block-0.0.sh,/a b,c", "machine_count = 2",
        "request_cpus = 3", "request_memory = 2560", "requirements = Memory > 1", '+projectname = "pr"',
        """environment = "A='b c' Q='x""y''z' JOBNAME='parsl.htex.block-0.0'\"""",
        "periodic_remove = (JobStatus == 2) && ((time() - EnteredCurrentStatus) > 60)",
    } < set(lines)  # fmt: skip
    assert lines[-1] == "queue"
