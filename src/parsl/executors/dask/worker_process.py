"""What a block runs on each node: it starts ``dask worker``, and removes its files afterwards.

Its arguments are the file of settings and the block's id.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from parsl.executors.dask.workers import NAME_PREFIX

#: How long workers try to reach the scheduler before they end, in seconds.
DEATH_TIMEOUT_S = 120

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def main() -> int:
    """Run the workers of this node until they end; return their exit code."""
    from parsl.common.processes import setproctitle

    setproctitle("parsl: dask node")
    with open(sys.argv[1]) as file:
        settings = json.load(file)
    scratch = tempfile.mkdtemp(prefix="parsl-dask-")
    name = f"{NAME_PREFIX}{sys.argv[2]}-{os.uname().nodename}-{os.getpid()}"
    try:
        process = subprocess.Popen(
            worker_words(settings, name, scratch, len(os.sched_getaffinity(0))), env=_environment()
        )
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        return process.wait()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def worker_words(settings: Mapping[str, Any], name: str, scratch: str, cpus: int) -> list[str]:
    """Return the words of the command that starts the workers of a node.

    Args:
        settings: The address of the scheduler, the files of the certificate, and ``WorkerSettings``.
        name: The workers' name, to which Dask adds a number.
        scratch: The directory for what they spill.
        cpus: The number of CPUs of this node.
    """
    workers = settings["max_workers"] or max(1, cpus // settings["threads"])
    words = [sys.executable, "-m", "distributed.cli.dask_worker", settings["address"]]
    words += ["--name", name, "--nworkers", str(workers), "--nthreads", str(settings["threads"])]
    words += ["--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
    words += ["--local-directory", scratch, "--death-timeout", str(DEATH_TIMEOUT_S)]
    if settings["memory_bytes"] is not None:
        words += ["--memory-limit", str(settings["memory_bytes"])]
    if settings["resources"]:
        amounts = [f"{name}={amount:g}" for name, amount in settings["resources"].items()]
        words += ["--resources", " ".join(amounts)]
    if settings["host"] is not None:
        words += ["--host", settings["host"]]
    if tls := settings["tls"]:
        words += ["--tls-ca-file", tls["ca_file"], "--tls-cert", tls["cert"], "--tls-key", tls["key"]]
    return [*words, *settings["options"]]


def _environment() -> dict[str, str]:
    """Return the environment in which workers find this package, and serve no pages over HTTP."""
    paths = [path for path in (os.environ.get("PYTHONPATH"), _ROOT) if path]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "DASK_DISTRIBUTED__WORKER__HTTP__ROUTES": "[]",
    }
