"""The script that a machine runs when it has booted, and what it leaves on the console."""

from __future__ import annotations

import hashlib
import re

from parsl.providers.batch.job_script import fill_template, template_next_to

#: What the script writes to the console before the exit code of the job.
EXIT_MARK = "parsl: the job has ended with exit code"
_EXIT_LINE = re.compile(rf"{EXIT_MARK} (\d+)")
_TEMPLATE = template_next_to(__file__, "user_data.sh")


def user_data_script(name: str, worker_init: str, launch: str, walltime_s: int, *, lingers: bool) -> str:
    """Return the script of a machine, which ends the machine at its walltime, and when the job has ended.

    The job runs in a bash of its own, so that an ``exit`` in ``worker_init`` does not keep the machine up.

    Args:
        name: The name of the machine: letters, digits and hyphens.
        worker_init: Shell text to run first.
        launch: Shell text that runs the managers.
        walltime_s: When the machine ends, in seconds after its boot.
        lingers: Whether the machine stays up after the job, until its walltime.
    """
    digest = hashlib.sha256(f"{worker_init}\n{launch}".encode(errors="surrogateescape")).hexdigest()
    values = {
        "name": name,
        "end": f"after {walltime_s} s" + ("" if lingers else ", or when its job has ended"),
        "walltime_s": str(walltime_s),
        "delimiter": f"PARSL_JOB_{digest[:16]}",
        "worker_init": worker_init,
        "launch": launch,
        "exit_mark": EXIT_MARK,
        "shutdown": None if lingers else '"$parsl_shutdown" -h now',
    }
    return fill_template(_TEMPLATE, values)


def exit_code_on(console: str) -> int | None:
    """Return the exit code of the job that a console shows; None if it shows none."""
    codes = _EXIT_LINE.findall(console)
    return int(codes[-1]) if codes else None
