"""A Dask cluster of the executor's own: a scheduler next to the driver, and what its workers need to join."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any, NamedTuple

from parsl.common.commands import python_command
from parsl.executors.engines.errors import EngineUnreachable, import_engine

#: How long a scheduler may take to start, on a busy host, in seconds.
START_S = 60.0
#: How long a scheduler may take to end after its input was closed, before it is killed, in seconds.
END_S = 10.0

_MISSING_TLS = "pip install 'parsl[dask]', or without TLS: DaskExecutor(encrypted=False)"


class WorkerSettings(NamedTuple):
    """How the workers of a node are started."""

    #: The number of worker processes; None for as many as the node has CPUs for.
    max_workers: int | None
    threads: int
    #: Bytes for each worker; None for Dask's own choice.
    memory_bytes: int | None
    #: Abstract resources of each worker, by name.
    resources: dict[str, float]
    #: Further words of the command ``dask worker``.
    options: Sequence[str]
    #: The address to listen on; None for Dask's own choice.
    host: str | None


class OwnCluster:
    """Starts and ends the scheduler, and writes what it and the workers need into a private directory.

    However the driver ends, the scheduler ends with it: it reads a pipe that only the driver holds.

    Args:
        executor: The executor, for messages.
        directory: Where the files and the scheduler's log are written.
        host: The address that the scheduler listens on.
        encrypted: Whether connections use TLS, with a certificate that is made for this run.
    """

    def __init__(self, executor: Any, directory: str, host: str, *, encrypted: bool) -> None:
        self._executor = executor
        self._private = os.path.join(directory, "dask")
        self._log_file = os.path.join(directory, "dask-scheduler.log")
        self._host = host
        self._encrypted = encrypted
        self._process: subprocess.Popen[bytes] | None = None
        #: The scheduler's address.
        self.address = ""
        #: What a client needs to connect; None without TLS.
        self.security: Any = None

    def start(self, workers: WorkerSettings) -> None:
        """Start the scheduler, and wait until it listens.

        Raises:
            EngineUnreachable: It does not start. The message has the end of its log.
            OptionalModuleMissing: TLS needs a package that is not installed.
        """
        os.makedirs(self._private, mode=0o700, exist_ok=True)
        os.chmod(self._private, 0o700)
        tls = self._write_certificate() if self._encrypted else {}
        self._write("scheduler.json", json.dumps({"host": self._host, "tls": tls}))
        with open(self._log_file, "ab") as log:
            self._process = subprocess.Popen(
                [*python_command("parsl.executors.dask.scheduler_process"), self._path("scheduler.json")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the driver
            )
        self.address = self._read_address()
        self._write("worker.json", json.dumps({"address": self.address, "tls": tls, **workers._asdict()}))

    def worker_command(self, block_id: str) -> str:
        """Return the shell command that starts the workers of a node."""
        words = [*python_command("parsl.executors.dask.worker_process"), self._path("worker.json"), block_id]
        return shlex.join(words)

    def close(self) -> None:
        """End the scheduler, and remove the certificate."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()
        shutil.rmtree(self._private, ignore_errors=True)

    def _read_address(self) -> str:
        import select

        assert self._process is not None
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], START_S)
        address = self._process.stdout.readline().decode().strip() if ready else ""
        if address:
            return address
        self.close()
        with open(self._log_file, errors="replace") as log:
            tail = "".join(log.readlines()[-15:]).strip()
        raise EngineUnreachable(
            self._executor,
            f"its scheduler has not started on {self._host}. The end of {self._log_file}:\n{tail}",
        )

    def _write_certificate(self) -> dict[str, str]:
        import_engine("cryptography", "TLS of DaskExecutor", _MISSING_TLS)
        from distributed import Security

        self.security = Security.temporary()
        return {
            "ca_file": self._write("certificate.pem", self.security.tls_ca_file),
            "cert": self._path("certificate.pem"),
            "key": self._write("key.pem", self.security.tls_scheduler_key),
        }

    def _path(self, name: str) -> str:
        return os.path.join(self._private, name)

    def _write(self, name: str, text: str) -> str:
        """Write a file that only its owner can read, and return its path."""
        path = self._path(name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        return path
