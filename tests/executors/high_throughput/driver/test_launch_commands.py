"""The commands of the interchange and of managers: the default ones, edited ones, those of earlier years."""

from __future__ import annotations

import re
import shlex
import string
import sys
from pathlib import Path

import pytest

from parsl.errors import ConfigurationError
from parsl.executors import HighThroughputExecutor, MPIExecutor
from parsl.executors.high_throughput.driver.launch_commands import interchange_command, launch_command
from parsl.executors.high_throughput.executor import DEFAULT_INTERCHANGE_LAUNCH_CMD, DEFAULT_LAUNCH_CMD
from parsl.executors.high_throughput.process_worker_pool import CommandLine, parse_arguments
from parsl.executors.high_throughput.wire.settings import ManagerSettings
from parsl.launchers import SimpleLauncher
from parsl.providers import LocalProvider

SETTINGS = ManagerSettings(addresses=["10.0.0.1"], port=54321, log_dir="/logs", accelerators=["0", "1"])
FILE = "/runs/000/htex/manager-settings.json"
#: The fields of upstream's template.
FIELDS = {
    *("accelerators", "address_probe_timeout_string", "addresses", "cert_dir", "cores_per_worker"),
    *("cpu_affinity", "debug", "drain_period", "enable_mpi_mode", "heartbeat_period", "heartbeat_threshold"),
    *("logconf", "logdir", "max_workers_per_node", "mem_per_worker", "mpi_launcher", "poll_period"),
    *("prefetch_capacity", "worker_port"),
}
EARLIER_TEMPLATES = {
    "2019": (
        "process_worker_pool.py {debug} {max_workers} -p {prefetch_capacity} -c {cores_per_worker} -m "
        "{mem_per_worker} --poll {poll_period} --task_url={task_url} --result_url={result_url} "
        "--logdir={logdir} --block_id={{block_id}} --hb_period={heartbeat_period}"
    ),
    "2024": (
        "process_worker_pool.py -a {addresses} --task_port={task_port} --result_port={result_port} "
        "--cert_dir {cert_dir} --logdir={logdir} --block_id={{block_id}} {address_probe_timeout_string}"
    ),
    "of a docstring": "process_worker_pool.py {debug} -c {cores_per_worker} --task_url={task_url}",
    "short": "/opt/bin/process_worker_pool.py -l {logdir} -P {worker_port} -L {logconf} -u x -b {block_id}",
}


def filled_in(template: str) -> str:
    return launch_command("me", template, FILE, "7", SETTINGS)


def pool_arguments(command: str) -> CommandLine:
    """Parse what follows the name of the worker pool in a command."""
    words = shlex.split(command)
    [at] = [place for place, word in enumerate(words) if "process_worker_pool" in word]
    return parse_arguments(words[at + 1 :])


def test_an_executor_has_the_default_commands() -> None:
    mpi = MPIExecutor(provider=LocalProvider(launcher=SimpleLauncher()))
    for executor in (HighThroughputExecutor(), mpi, HighThroughputExecutor(launch_cmd=DEFAULT_LAUNCH_CMD)):
        assert executor.launch_cmd == DEFAULT_LAUNCH_CMD
        assert executor.interchange_launch_cmd == DEFAULT_INTERCHANGE_LAUNCH_CMD == ["interchange.py"]
        assert executor.interchange_launch_cmd is not DEFAULT_INTERCHANGE_LAUNCH_CMD


def test_the_default_template_has_the_fields_of_upstreams() -> None:
    found = {field for _, field, _, _ in string.Formatter().parse(DEFAULT_LAUNCH_CMD) if field}
    assert found == FIELDS
    assert DEFAULT_LAUNCH_CMD.startswith("process_worker_pool.py ")
    assert "--block_id={{block_id}}" in DEFAULT_LAUNCH_CMD


def test_unless_they_are_edited_the_drivers_python_runs() -> None:
    assert shlex.split(filled_in(DEFAULT_LAUNCH_CMD))[0] == sys.executable
    assert interchange_command(DEFAULT_INTERCHANGE_LAUNCH_CMD)[0] == sys.executable


@pytest.mark.parametrize(
    "edit",
    [
        lambda template: f"apptainer exec image.sif {template}",
        lambda template: " ".join(shlex.split("docker run -t image " + template)),
        lambda template: re.sub(r"^process_worker_pool\.py", "python -m a.process_worker_pool", template),
        lambda template: template.replace("--logdir={logdir}", "--settings {settings}"),
    ],
)
def test_an_edited_default_template_leads_to_the_same_settings(edit: object) -> None:
    assert callable(edit)
    command_line = pool_arguments(filled_in(edit(DEFAULT_LAUNCH_CMD)))
    assert (command_line.file, command_line.block) == (Path(FILE), "7")
    assert command_line.override(SETTINGS) == SETTINGS


@pytest.mark.parametrize("logdir", ["/scratch/logs", "$SCRATCH"])
def test_a_log_directory_of_the_users_own_does_not_hide_the_settings(logdir: str) -> None:
    template = DEFAULT_LAUNCH_CMD.replace("{logdir}", logdir)
    command_line = pool_arguments(filled_in(template))
    assert command_line.file == Path(FILE)
    assert command_line.override(SETTINGS).log_dir == logdir


@pytest.mark.parametrize("template", EARLIER_TEMPLATES.values(), ids=list(EARLIER_TEMPLATES))
def test_templates_of_earlier_years_lead_to_the_same_settings(template: str) -> None:
    command_line = pool_arguments(filled_in(template))
    assert (command_line.file, command_line.block) == (Path(FILE), "7")
    assert command_line.override(SETTINGS) == SETTINGS


def test_another_program_gets_only_what_is_in_its_template() -> None:
    assert filled_in("exit {block_id}") == "exit 7"
    assert filled_in("my-pool {settings}") == f"my-pool {FILE}"


def test_a_template_with_an_unknown_field_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"launch_cmd .*KeyError\('nothing'\).*DEFAULT_LAUNCH_CMD"):
        filled_in("process_worker_pool.py {nothing}")


def test_an_edited_interchange_command_runs_as_it_is() -> None:
    assert interchange_command(["env", "X=1", "interchange.py"]) == ["env", "X=1", "interchange.py"]
