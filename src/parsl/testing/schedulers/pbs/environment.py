"""The variables of a job. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from parsl.testing.schedulers.records import Job, Payload, Settings

_COOKIE_DIGITS = 32
#: What qsub passes on of its own environment, and under which name.
_PASSED_ON = (
    ("HOME", "PBS_O_HOME"),
    ("LANG", "PBS_O_LANG"),
    ("LOGNAME", "PBS_O_LOGNAME"),
    ("PATH", "PBS_O_PATH"),
    ("MAIL", "PBS_O_MAIL"),
    ("SHELL", "PBS_O_SHELL"),
    ("TZ", "PBS_O_TZ"),
)
MAIN = "main-2026-04"


def submission_variables(
    environment: Mapping[str, str],
    workdir: str,
    exported: list[tuple[str, str, str]],
    settings: Settings,
    queue: str,
) -> tuple[tuple[str, str, str], ...]:
    """Return what qsub notes in a job's Variable_List.

    Args:
        environment: That of qsub.
        workdir: Its working directory.
        exported: What the user exports, by ``-v`` or ``-V``.
        settings: The cluster.
        queue: Where the job goes.

    Returns:
        Names, values, and where each comes from.
    """
    own = [(name, environment[theirs], "qsub") for theirs, name in _PASSED_ON if environment.get(theirs)]
    if settings.flavour == MAIN:
        own.append(("PBS_O_INTERACTIVE_AUTH_METHOD", "resvport", "qsub"))
        own.append(("PBS_O_INTERACTIVE_ENCRYPT_METHOD", "", "qsub"))
    own.append(("PBS_O_WORKDIR", workdir, "qsub"))
    own.append(("PBS_O_SYSTEM", "Linux", "qsub"))
    last = [("PBS_O_QUEUE", queue, "qsub"), ("PBS_O_HOST", settings.login_host, "qsub")]
    return (*own, *exported, *last)


def job_environment(
    job: Job, payload: Payload, settings: Settings, job_id: str, nodefile: str, scratch: str
) -> dict[str, str]:
    """Return what a job finds in its environment; nothing of the submitter's but what was exported.

    Args:
        job: The job, with its nodes.
        payload: Its variables.
        settings: The cluster.
        job_id: Its id.
        nodefile: The path of the node file.
        scratch: The path of TMPDIR.
    """
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
    for name in ("LANG", "TZ"):
        if f"PBS_O_{name}" in variables:
            environment[name] = variables[f"PBS_O_{name}"]
    return environment
