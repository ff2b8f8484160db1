from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from parsl.common.processes import terminate_tree
from parsl.launchers.base import Launcher


class Block:
    """Runs a launcher's text as a job script, and records the arguments of the stand-ins on its PATH."""

    def __init__(self, directory: Path) -> None:
        self.script_dir = directory / "scripts 'of' $ME"
        self.work_dir = directory / "work dir"
        self.bin_dir = directory / "bin"
        for each in (self.script_dir, self.work_dir, self.bin_dir):
            each.mkdir()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PBS_", "SLURM_"))},
            "PATH": f"{self.bin_dir}:{os.environ['PATH']}",
            "HOME": str(directory),
        }
        self.started: list[subprocess.Popen[str]] = []

    def stand_in(self, program: str, run: str) -> None:
        """Put a program on the PATH that records its arguments, one per line, and then runs ``run``."""
        path = self.bin_dir / program
        calls = self.bin_dir / f"{program}.calls"
        calls.mkdir()
        # A file for each call: several may be made at once, and bash writes line by line.
        path.write_text(f"#!/bin/bash\nprintf '%s\\n' \"$@\" >'{calls}'/$$\n{run}\n")
        path.chmod(0o755)

    def calls(self, program: str) -> list[list[str]]:
        files = (self.bin_dir / f"{program}.calls").iterdir()
        return [
            file.read_text().splitlines() for file in sorted(files, key=lambda file: file.stat().st_mtime_ns)
        ]

    def start(
        self,
        launcher: Launcher,
        command: str,
        tasks_per_node: int = 1,
        nodes_per_block: int = 1,
        worker_init: str = "",
        script_dir: str | None = None,
    ) -> subprocess.Popen[str]:
        directory = str(self.script_dir) if script_dir is None else script_dir
        text = launcher(command, tasks_per_node, nodes_per_block, directory)
        job = self.work_dir / (f"job-{len(self.started)}.sh" if self.started else "job.sh")
        job.write_text(f"{worker_init}\n{text}\n")
        process = subprocess.Popen(
            ["/bin/bash", str(job)],
            cwd=self.work_dir,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def run(self, *args: object, **kwargs: object) -> tuple[int, str, str]:
        """Run to the end: exit code, standard output, standard error."""
        process = self.start(*args, **kwargs)  # type: ignore[arg-type]
        stdout, stderr = process.communicate(timeout=30)
        return process.returncode, stdout, stderr

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                terminate_tree(process.pid)
            process.communicate()


@pytest.fixture
def block(tmp_path: Path) -> Iterator[Block]:
    block = Block(tmp_path)
    yield block
    block.close()


@pytest.fixture
def assert_dies_of_sigterm(block: Block) -> Callable[[Launcher, int], None]:
    """Check that SIGTERM to the job script ends the launched command and its children at once."""

    def check(launcher: Launcher, copies: int) -> None:
        # The pipe closes when no process holds it any more, neither a copy nor one of its children.
        process = block.start(launcher, "sleep 600 & echo $! ready; wait; sleep 600", copies)
        assert process.stdout is not None
        ready = 0
        while ready < copies:
            line = process.stdout.readline()
            assert line, process.communicate()
            ready += line.endswith("ready\n")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)

    return check
