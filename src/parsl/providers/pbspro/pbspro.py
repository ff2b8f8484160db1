"""The provider for PBS Pro and OpenPBS, with its commands and what they print about jobs.

qstat offers three forms, none of which is reliable everywhere. JSON is the clearest form, but the JSON of
some versions is invalid for certain values, and other versions answer only for the first of several jobs.
The two forms for people have no such faults, but do not quote values either.
"""

from __future__ import annotations

import re
from typing import Any

from parsl import validate
from parsl.common import pass_on_upstream_names
from parsl.launchers.base import Launcher
from parsl.launchers.launchers import SingleNodeLauncher
from parsl.providers.base import accepts_retired_provider_arguments
from parsl.providers.batch.answers import UnreadableAnswer, complete_lines, read_json
from parsl.providers.torque import torque

_DELIMITER = "|"
_DSV_ATTRIBUTE = re.compile(r"(?P<name>[A-Za-z_][\w.]*)=(?P<value>.*)", re.DOTALL)


class QstatWide(torque.Qstat):
    """Reads the form for people, without folded lines."""

    form = ("-w",)


class QstatDsv(torque.Qstat):
    """Reads ``name=value`` fields separated by a delimiter."""

    form = ("-F", "dsv", "-D", _DELIMITER)

    def jobs_in(self, stdout: str) -> torque.Jobs:
        text = "\n" + "\n".join(complete_lines(stdout))
        jobs: torque.Jobs = []
        for record in text.split(f"\n{torque.RECORD_START}")[1:]:
            job_id, *fields = record.split(_DELIMITER)
            attributes: dict[str, Any] = {}
            for field in fields:
                if match := _DSV_ATTRIBUTE.fullmatch(field):
                    torque.keep_attribute(attributes, match["name"], match["value"])
            jobs.append((job_id.strip(), attributes))
        return torque.complete_jobs(jobs)


class QstatJson(torque.Qstat):
    """Reads JSON, which may contain no jobs at all."""

    form = ("-F", "json")

    def jobs_in(self, stdout: str) -> torque.Jobs:
        answer = read_json(stdout)
        if not isinstance(answer, dict) or "pbs_server" not in answer:
            raise UnreadableAnswer("it is JSON, but not from qstat")
        jobs = answer.get("Jobs", {})
        if not isinstance(jobs, dict):
            raise UnreadableAnswer("its Jobs are not an object")
        return [
            (job_id, attributes)
            for job_id, attributes in jobs.items()
            if isinstance(attributes, dict) and torque.is_complete(job_id, attributes)
        ]


class PBSProDialect(torque.TorqueDialect):
    """PBS Pro: qsub, qstat, qdel.

    Its history (-x) contains jobs that have ended, unless the site keeps none.
    """

    forgetful_s = 0.0
    status_queries = tuple(
        form(with_history) for with_history in (True, False) for form in (QstatJson, QstatDsv, QstatWide)
    )
    listing = QstatDsv()


def _check_select_options(owner: object, name: str, value: object) -> str:
    text = validate.text(owner, name, value, one_line=True)
    if any(char.isspace() for char in text.strip()):
        validate.wrong_value(owner, name, value, "no blanks, as in 'ngpus=4:mem=64gb'")
    return text


class PBSProProvider(torque.TorqueProvider):
    """Runs each block as a job of PBS Pro.

    ``walltime`` is ``HH:MM:SS``, ``MM:SS`` or seconds. ``scheduler_options`` are lines such as
    ``"#PBS -l filesystems=home:flare"``. A request of nodes among them, such as
    ``"#PBS -l select=2:ncpus=8"``, replaces the one that Parsl makes of ``nodes_per_block``,
    ``cpus_per_node`` and ``select_options``.

    Args:
        account: The account to charge.
        queue: The queue to submit to; None for the server's default.
        select_options: Resources to request on each node in addition to CPUs, such as ``"ngpus=4"``.
        cpus_per_node: CPUs to request on each node, as PBS counts them: often hardware threads.
    """

    select_options = validate.Custom(_check_select_options)
    cpus_per_node = validate.Integer(low=1)
    dialect = PBSProDialect()

    @accepts_retired_provider_arguments
    def __init__(
        self,
        account: str | None = None,
        queue: str | None = None,
        scheduler_options: str = "",
        select_options: str = "",
        worker_init: str = "",
        nodes_per_block: int = 1,
        cpus_per_node: int = 1,
        init_blocks: int = 1,
        min_blocks: int = 0,
        max_blocks: int = 1,
        parallelism: float = 1,
        launcher: Launcher = SingleNodeLauncher(),
        walltime: str = "00:20:00",
        cmd_timeout: float = 120,
    ) -> None:
        self._configure("pbspro", locals())

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl") -> str:
        return super().submit(command, tasks_per_node, job_name)

    def _resources(self, tasks_per_node: int) -> str:
        options = self.select_options.strip().strip(":")
        chunk = f"select={self.nodes_per_block}:ncpus={self.cpus_per_node}"
        return f"{chunk}:{options}" if options else chunk


pass_on_upstream_names(__name__)
