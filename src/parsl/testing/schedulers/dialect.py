"""How PBS starts and ends jobs, and what it reports about them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from shlex import quote
from typing import NamedTuple

from parsl.testing.schedulers import records
from parsl.testing.schedulers.attributes import full_id, nodefile_text, vnodes
from parsl.testing.schedulers.records import Job, Payload, Settings

#: The variable of each job that names the directory of its cluster.
CLUSTER_VARIABLE = "PARSL_STAND_IN_CLUSTER"
#: A PATH like that of a login shell.
PLAIN_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
_SIGTERM_STATUS = 256 + 15
_COOKIE_DIGITS = 32
#: Signals that Python or a parent process may ignore; a job must not inherit that.
_RESET_SIGNALS = (
    signal.SIGPIPE, signal.SIGCHLD, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM,
)  # fmt: skip


class LaunchPlan(NamedTuple):
    """What a runner needs to start a job."""

    program: str
    arguments: tuple[str, ...]
    stdin_text: str
    environment: dict[str, str]
    workdir: str
    #: The files of the output while the job runs.
    stdout: str
    stderr: str
    #: Files that are copied at the end of the job: from, to.
    deliveries: tuple[tuple[str, str], ...] = ()
    #: Files with their texts that exist while the job runs.
    files: tuple[tuple[str, str], ...] = ()
    #: The script and its text: an executable file that stays after the job.
    script: tuple[str, str] = ("", "")
    #: Directories that exist while the job runs.
    directories: tuple[str, ...] = ()

    def prepare(self) -> None:
        for directory in self.directories:
            os.makedirs(directory, mode=0o700, exist_ok=True)
        stdin = (self._stdin_path, self.stdin_text)
        for path, text in (*self.files, self.script, stdin, (self.stdout, ""), (self.stderr, "")):
            with open(path, "w") as file:
                file.write(text)
        os.chmod(self.script[0], 0o700)

    def execute(self, no_shell_status: int) -> None:
        """Turn this process, just forked, into the job's shell, or exit with ``no_shell_status``."""
        try:
            os.setsid()
            os.chdir(self.workdir)
            self._redirect()
            signal.set_wakeup_fd(-1)
            for number in _RESET_SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.execve(self.program, self.arguments, self.environment)
        except OSError as error:
            os.write(2, f"{self.program}: {error.strerror}\n".encode())
        finally:
            os._exit(no_shell_status)

    def _redirect(self) -> None:
        stdin = os.open(self._stdin_path, os.O_RDONLY)
        stdout = os.open(self.stdout, os.O_WRONLY | os.O_APPEND)
        stderr = os.open(self.stderr, os.O_WRONLY | os.O_APPEND)
        for descriptor, source in ((0, stdin), (1, stdout), (2, stderr)):
            os.dup2(source, descriptor)

    def deliver(self) -> bool:
        """Copy the output to its final place, whose directory must exist; return whether that succeeded."""
        from shutil import copyfile

        delivered = True
        for spooled, target in self.deliveries:
            try:
                copyfile(spooled, target)
            except OSError:
                delivered = False
        return delivered

    def clear(self) -> None:
        """Remove what exists only while the job runs."""
        from shutil import rmtree

        spooled = [path for path, _ in self.deliveries]
        for path in (*spooled, *(path for path, _ in self.files), self._stdin_path):
            with suppress(OSError):
                os.unlink(path)
        for directory in self.directories:
            rmtree(directory, ignore_errors=True)

    @property
    def _stdin_path(self) -> str:
        return self.script[0] + ".stdin"


class PBSDialect:
    """What is special to PBS Pro. Stand-ins for other schedulers override what differs. Stateless."""

    #: The exit statuses of jobs that the scheduler ended; for other reasons the status of the shell counts.
    exit_statuses: Mapping[str, int] = {
        # The login shell dies from SIGTERM, whatever the script does.
        records.DELETED: _SIGTERM_STATUS,
        records.ABORTED: _SIGTERM_STATUS,
        records.OVER_WALLTIME: -29,
        records.REQUEUED: -11,
        records.NODE_FAILED: -20,
    }
    #: The exit status of a job whose shell does not exist.
    no_shell_status = 254
    #: The number that is added to a signal that killed the shell.
    signal_base = 256

    def __init__(self, settings: Settings, directory: str) -> None:
        self.settings = settings
        self.directory = directory

    def path(self, *names: str) -> str:
        return os.path.join(self.directory, *names)

    def job_id(self, job: Job) -> str:
        """Return the id that users see."""
        return full_id(job.number, self.settings.server)

    def launch_plan(self, job: Job, payload: Payload) -> LaunchPlan:
        job_id = self.job_id(job)
        nodefile = self.path("aux", job_id)
        scratch = self.path("tmp", f"pbs.{job_id}")
        script = self.path("jobs", f"{job_id}.SC")
        variables = {name: value for name, value, _ in payload.variables}
        home = variables.get("PBS_O_HOME") or "/"
        shell = job.shell or variables.get("PBS_O_SHELL") or "/bin/sh"
        stdout, stderr, deliveries = self._streams(job, home)
        environment = job_environment(job, payload, self.settings, job_id, nodefile, scratch)
        environment["PATH"] = f"{self.settings.bin_directory}:{PLAIN_PATH}"
        environment.update(self.cluster_variables(job))
        return LaunchPlan(
            program=shell,
            arguments=(f"-{os.path.basename(shell)}" if self.settings.policy.login_shell else shell,),
            # The profile may have replaced PATH. The script is executed, so a "#!" line takes effect.
            stdin_text=f"PATH={quote(self.settings.bin_directory)}:$PATH\n{quote(script)}\n",
            environment=environment,
            workdir=home if os.path.isdir(home) else "/",
            stdout=stdout,
            stderr=stderr,
            deliveries=deliveries,
            files=((nodefile, nodefile_text(job.placements)),),
            script=(script, payload.script),
            directories=(scratch,),
        )

    def _streams(self, job: Job, home: str) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        """Return the files of the output while the job runs, and the copies to make afterwards."""
        paths = {"o": job.output_path, "e": job.error_path}
        running: dict[str, str] = {}
        deliveries = []
        for letter, suffix in (("o", "OU"), ("e", "ER")):
            path = paths[letter]
            if letter in job.keep and "d" not in job.keep:
                path = os.path.join(home, f"{job.name}.{letter}{job.number}")
            if letter in job.keep and os.path.isdir(os.path.dirname(path)):
                running[letter] = path
            else:
                running[letter] = self.path("spool", f"{self.job_id(job)}.{suffix}")
                deliveries.append((running[letter], path))
        if job.join in ("oe", "eo"):
            kept, dropped = job.join[0], job.join[1]
            deliveries = [pair for pair in deliveries if pair[0] != running[dropped]]
            running[dropped] = running[kept]
        return running["o"], running["e"], tuple(deliveries)

    def cluster_variables(self, job: Job) -> dict[str, str]:
        """Return the variables that the stand-in itself adds to a job's environment."""
        variables = {CLUSTER_VARIABLE: self.directory}
        if self.settings.policy.claims_cpus and job.placements:
            variables["PARSL_CORES"] = str(job.placements[0].cpus)
        return variables

    def exit_status(self, reason: str, wait_status: int) -> int:
        """Return the exit status to report; ``reason`` is empty if the scheduler did not end the job."""
        if reason in self.exit_statuses:
            return self.exit_statuses[reason]
        if os.WIFSIGNALED(wait_status):
            return self.signal_base + os.WTERMSIG(wait_status)
        return os.WEXITSTATUS(wait_status)

    def run_comment(self, job: Job) -> str:
        """Return the comment of a job that has just started."""
        day, minute = time.strftime("%a %b %d|%H:%M", time.localtime(job.started_s)).split("|")
        return f"Job run at {day} at {minute} on {vnodes(job.placements)}"

    def end_comment(self, job: Job) -> str:
        """Return the comment of a job that has ended."""
        if job.end_reason == records.OVER_WALLTIME:
            return f"{job.comment} and exceeded resource walltime"
        if job.end_reason in (records.DELETED, records.ABORTED):
            return job.comment
        return f"{job.comment} and {'finished' if job.exit_status == 0 else 'failed'}"

    def overtime_message(self, job: Job, elapsed_s: float) -> str:
        """Return the line that is added to a job's stderr when it exceeds its walltime."""
        limit = int(job.walltime_s or 0)
        return f"=>> PBS: job killed: walltime {max(int(elapsed_s), limit + 1)} exceeded limit {limit}\n"


def job_environment(
    job: Job, payload: Payload, settings: Settings, job_id: str, nodefile: str, scratch: str
) -> dict[str, str]:
    """Return the environment of a job; the submitter's variables are missing unless they were exported."""
    variables = {name: value for name, value, _ in payload.variables}
    user = variables.get("PBS_O_LOGNAME", job.owner)
    cpus = str(job.placements[0].cpus if job.placements else 1)
    home = variables.get("PBS_O_HOME", "/")
    environment = {
        **variables,
        "ENVIRONMENT": "BATCH",
        "HOME": home,
        "LOGNAME": user,
        "NCPUS": cpus,
        "OMP_NUM_THREADS": cpus,
        "PBS_ENVIRONMENT": "PBS_BATCH",
        "PBS_JOBCOOKIE": f"{abs(hash((job_id, job.started_s))):0{_COOKIE_DIGITS}X}",
        "PBS_JOBDIR": home,
        "PBS_JOBID": job_id,
        "PBS_JOBNAME": job.name,
        "PBS_MOMPORT": "15003",
        "PBS_NODEFILE": nodefile,
        "PBS_NODENUM": "0",
        "PBS_QUEUE": job.queue,
        "PBS_TASKNUM": "1",
        "SHELL": job.shell or variables.get("PBS_O_SHELL", "/bin/sh"),
        "TMPDIR": scratch,
        "USER": user,
    }
    if job.account:
        environment["PBS_ACCOUNT"] = job.account
    return environment | {
        name: variables[f"PBS_O_{name}"] for name in ("LANG", "TZ") if f"PBS_O_{name}" in variables
    }


def load_dialect(settings: Settings, directory: str) -> PBSDialect:
    """Return the dialect that a cluster's settings name, as ``module:class``."""
    module, _, name = settings.dialect.partition(":")
    dialect: PBSDialect = getattr(import_module(module), name)(settings, directory)
    return dialect
