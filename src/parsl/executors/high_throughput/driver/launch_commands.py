"""The commands that start the interchange and managers, as users may edit them.

A command that was not edited starts the driver's own Python, whatever is on the PATH. An edited one is run as
it is written: users start it in a container, with a prefix, or with another program in its place. A template
may be that of upstream, of this or an earlier year.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from parsl.common.commands import python_command
from parsl.errors import ConfigurationError
from parsl.executors.high_throughput.wire.settings import ManagerSettings, to_line

#: The template of the command that starts a manager, with a field for each flag. It contains no quotes, since
#: some packages split it into words and join these again. The block is filled in last: {{block_id}}.
DEFAULT_LAUNCH_CMD = (
    "process_worker_pool.py {debug} {max_workers_per_node} -a {addresses} -p {prefetch_capacity} "
    "-c {cores_per_worker} -m {mem_per_worker} --poll {poll_period} --port={worker_port} "
    "--cert_dir {cert_dir} --logdir={logdir} --logconf={logconf} --block_id={{block_id}} "
    "--hb_period={heartbeat_period} {address_probe_timeout_string} --hb_threshold={heartbeat_threshold} "
    "--drain_period={drain_period} --cpu-affinity {cpu_affinity} {enable_mpi_mode} "
    "--mpi-launcher={mpi_launcher} --available-accelerators {accelerators}"
)
#: The command that starts the interchange; the number of a descriptor is appended.
DEFAULT_INTERCHANGE_LAUNCH_CMD = ["interchange.py"]

#: The name of the program that starts a manager, as a script or a module.
_POOL_PROGRAM = re.compile(r"process_worker_pool(\.py)?(?![\w.])")
#: The fields that lead a manager to its settings.
_PLACES = re.compile(r"\{(settings|logdir)\}")
_BLOCK = re.compile(r"\{block_id\}")


def is_default(template: str) -> bool:
    """Return whether a template is the default one, for which managers run in the driver's own Python."""
    return template == DEFAULT_LAUNCH_CMD


def interchange_command(given: Sequence[str]) -> list[str]:
    """Return the command that starts the interchange, as the user has edited it."""
    if list(given) == DEFAULT_INTERCHANGE_LAUNCH_CMD:
        return python_command("parsl.executors.high_throughput.interchange.command")
    return list(given)


def interchange_path() -> str:
    """Return the PATH for the interchange: the programs of the driver's Python are searched last."""
    # The environment of the driver's Python may not be activated: the PATH lacks its programs then.
    return os.pathsep.join((os.environ.get("PATH", os.defpath), os.path.dirname(sys.executable)))


def launch_command(
    owner: str, template: str, settings_file: str | None, block_id: str, settings: ManagerSettings
) -> str:
    """Return the shell command that starts a manager: the template filled in, or the driver's own Python.

    Without a file of settings, nodes do not see the driver's files: the command starts the program that is on
    the node's PATH, and gives it the settings as its standard input. No other user sees them there.
    """
    if settings_file is None:
        command = _program_command(owner, template, "-", block_id, settings)
        return f"{command} <<< {to_line(settings)}"
    return _program_command(owner, template, settings_file, block_id, settings)


def _program_command(
    owner: str, template: str, settings_file: str, block_id: str, settings: ManagerSettings
) -> str:
    file, block = shlex.quote(settings_file), shlex.quote(block_id)
    if is_default(template):
        own = shlex.join(python_command("parsl.executors.high_throughput.process_worker_pool"))
        command = "process_worker_pool.py" if settings_file == "-" else own
        return f"{command} --settings {file} --block_id {block}"
    template = _completed(template, has_file=settings_file != "-")
    logdir = shlex.quote(str(Path(settings_file).parent))
    fields = {"settings": file, "block_id": block, "logdir": logdir, **_upstream_fields(settings)}
    try:
        # Upstream fills its template in twice, the second time with the block: {{block_id}}.
        return template.format(**fields).replace("{block_id}", block)
    except (KeyError, IndexError, ValueError) as error:
        raise ConfigurationError(
            f"{owner}: launch_cmd {template!r} cannot be filled in: {error!r}. "
            f"Its fields are {', '.join(sorted(fields))}; write {{{{ and }}}} for braces. "
            "To change the default one, edit parsl.executors.high_throughput.executor.DEFAULT_LAUNCH_CMD"
        ) from error


def _completed(template: str, *, has_file: bool) -> str:
    """Return the template with what a manager needs: a user's does not always have it."""
    # With a --logdir of the user's own, for example, a manager does not find its settings.
    leads = _PLACES.search(template) if has_file else "{settings}" in template
    settings = "" if leads else " --settings {settings}"
    block = "" if _BLOCK.search(template) else " --block_id {block_id}"
    return _POOL_PROGRAM.sub(rf"\g<0>{settings}{block}", template)


def _upstream_fields(settings: ManagerSettings) -> dict[str, object]:
    """Return the fields of upstream's templates since 2019: the values of process_worker_pool.py's flags."""
    limit = settings.max_workers
    max_workers = "" if limit is None else f"--max_workers_per_node {limit}"
    return {
        "debug": "--debug" if settings.debug else "",
        "max_workers_per_node": max_workers,
        "max_workers": max_workers,
        "addresses": ",".join(settings.addresses),
        "worker_port": settings.port,
        "task_url": f"tcp://{settings.addresses[0] if settings.addresses else ''}:{settings.port}",
        "result_url": "",
        "task_port": settings.port,
        "result_port": settings.port,
        "cert_dir": shlex.quote(settings.cert_dir or "None"),
        "cores_per_worker": settings.cores_per_worker,
        "mem_per_worker": settings.mem_per_worker_gb,
        "prefetch_capacity": settings.prefetch,
        "heartbeat_period": settings.heartbeat_period_s,
        "heartbeat_threshold": settings.heartbeat_threshold_s,
        "drain_period": settings.drain_period_s,
        "cpu_affinity": shlex.quote(settings.cpu_affinity),
        "accelerators": shlex.join(settings.accelerators),
        "logconf": "None",
        "nodes_per_block": 1,
        "poll_period": 10,
        "address_probe_timeout_string": "",
        "enable_mpi_mode": "--enable_mpi_mode" if settings.mpi_launcher else "",
        "mpi_launcher": settings.mpi_launcher or "mpiexec",
    }
