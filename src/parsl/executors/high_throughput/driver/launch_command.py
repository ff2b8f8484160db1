"""The commands that start managers and the interchange: our own, or those of the user."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

import parsl.version
from parsl.errors import ConfigurationError
from parsl.executors.high_throughput.wire.settings import ManagerSettings

#: The package is imported from where the driver has it, even if that is not on the default path.
_START = "import sys; sys.path.append({root!r}); from {module} import main; sys.exit(main())"


def python_command(module: str) -> list[str]:
    """Return the command that runs the `main` of a module of this package in the driver's own Python."""
    package = Path(parsl.version.__file__).absolute().parent
    return [sys.executable, "-c", _START.format(root=str(package.parent), module=module)]


def interchange_command(given: list[str] | None) -> list[str]:
    """Return the command that starts the interchange: the user's, or None for the driver's own Python."""
    if given is None:
        return python_command("parsl.executors.high_throughput.interchange.command")
    program, *arguments = given
    # The environment of the driver's Python may not be activated: the PATH lacks its programs then.
    neighbor = os.path.join(os.path.dirname(sys.executable), program)
    if "/" in program or shutil.which(program) or not os.access(neighbor, os.X_OK):
        return given
    return [neighbor, *arguments]


def launch_command(
    owner: str, template: str | None, settings_file: str, block_id: str, settings: ManagerSettings
) -> str:
    """Return the shell command that starts a manager: the template filled in, or the driver's own Python."""
    file, block = shlex.quote(settings_file), shlex.quote(block_id)
    if template is None:
        command = shlex.join(python_command("parsl.executors.high_throughput.process_worker_pool"))
        return f"{command} --settings {file} --block_id {block}"
    logdir = shlex.quote(str(Path(settings_file).parent))
    fields = {"settings": file, "block_id": block, "logdir": logdir, **_upstream_fields(settings)}
    try:
        # Older templates are filled in twice, the second time with the block: {{block_id}}.
        return template.format(**fields).replace("{block_id}", block)
    except (KeyError, IndexError, ValueError) as error:
        raise ConfigurationError(
            f"{owner}: launch_cmd {template!r} cannot be filled in: {error!r}. "
            f"Its fields are {', '.join(sorted(fields))}; write {{{{ and }}}} for braces."
        ) from error


def _upstream_fields(settings: ManagerSettings) -> dict[str, object]:
    """Return the fields of older templates: the values of process_worker_pool.py's flags."""
    limit = settings.max_workers
    return {
        "debug": "--debug" if settings.debug else "",
        "max_workers_per_node": "" if limit is None else f"--max_workers_per_node {limit}",
        "addresses": ",".join(settings.addresses),
        "worker_port": settings.port,
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
