"""The commands of PBS Pro, and what they print about jobs.

qstat offers three forms, none of which is reliable everywhere. JSON is the clearest form, but the JSON of
some versions is invalid for certain values, and other versions answer only for the first of several jobs.
The two forms for people have no such faults, but do not quote values either.
"""

from __future__ import annotations

import re
from typing import Any

from parsl.providers.batch.answers import UnreadableAnswer, complete_lines
from parsl.providers.torque.dialect import (
    RECORD_START,
    Jobs,
    Qstat,
    TorqueDialect,
    complete_jobs,
    is_complete,
    keep_attribute,
)

_DELIMITER = "|"
_DSV_ATTRIBUTE = re.compile(r"(?P<name>[A-Za-z_][\w.]*)=(?P<value>.*)", re.DOTALL)


class QstatWide(Qstat):
    """Reads the form for people, without folded lines."""

    form = ("-w",)


class QstatDsv(Qstat):
    """Reads ``name=value`` fields separated by a delimiter."""

    form = ("-F", "dsv", "-D", _DELIMITER)

    def jobs_in(self, stdout: str) -> Jobs:
        text = "\n" + "\n".join(complete_lines(stdout))
        jobs: Jobs = []
        for record in text.split(f"\n{RECORD_START}")[1:]:
            job_id, *fields = record.split(_DELIMITER)
            attributes: dict[str, Any] = {}
            for field in fields:
                if match := _DSV_ATTRIBUTE.fullmatch(field):
                    keep_attribute(attributes, match["name"], match["value"])
            jobs.append((job_id.strip(), attributes))
        return complete_jobs(jobs)


class QstatJson(Qstat):
    """Reads JSON, which may contain no jobs at all."""

    form = ("-F", "json")

    def jobs_in(self, stdout: str) -> Jobs:
        import json

        try:
            answer = json.loads(stdout)
        except (ValueError, RecursionError) as error:
            raise UnreadableAnswer(f"it is not valid JSON ({error})") from error
        if not isinstance(answer, dict) or "pbs_server" not in answer:
            raise UnreadableAnswer("it is JSON, but not from qstat")
        jobs = answer.get("Jobs", {})
        if not isinstance(jobs, dict):
            raise UnreadableAnswer("its Jobs are not an object")
        return [
            (job_id, attributes)
            for job_id, attributes in jobs.items()
            if isinstance(attributes, dict) and is_complete(job_id, attributes)
        ]


class PBSProDialect(TorqueDialect):
    """PBS Pro: qsub, qstat, qdel.

    Its history (-x) contains jobs that have ended, unless the site keeps none.
    """

    forgetful_s = 0.0
    status_queries = tuple(
        form(with_history) for with_history in (True, False) for form in (QstatJson, QstatDsv, QstatWide)
    )
    listing = QstatDsv()
