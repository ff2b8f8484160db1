"""How PBS Pro is spoken to.

Its answers come in three forms, and none of them can be relied on everywhere. JSON is the one that says
most clearly what is meant, but of some versions it is not valid with certain values in it, and others
answer for the first of many jobs only. The two forms for people have no such faults, but no quotes either.
"""

from __future__ import annotations

from parsl.providers.batch.answers import Question, Search, UnreadableAnswer
from parsl.providers.torque import answers
from parsl.providers.torque.dialect import TorqueDialect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from parsl.common.commands import CommandResult
    from parsl.providers.batch.answers import Answer

_DELIMITER = "|"
_FORMS = (["-F", "json"], ["-F", "dsv", "-D", _DELIMITER], ["-w"])


class PBSProDialect(TorqueDialect):
    """PBS Pro: qsub, qstat, qdel.

    Jobs that have ended are in its history (-x), unless the site keeps none.
    """

    forgetful_s = 0.0

    def questions(self) -> Sequence[Question]:
        return tuple(
            Question(_asker(["-x", "-f", *form] if has_history else ["-f", *form]), _READERS[form[-1]])
            for has_history in (True, False)
            for form in _FORMS
        )

    def search(self, name: str) -> Search | None:
        command = ["qstat", "-f", "-F", "dsv", "-D", _DELIMITER]
        return Search(command, lambda result: answers.find_named(result, answers.parse_dsv, name))


def parse_json(stdout: str) -> list[tuple[str, dict[str, object]]]:
    """Take apart what ``qstat -f -F json`` prints.

    Returns:
        Jobs with their attributes; no jobs if it is an answer without any.

    Raises:
        UnreadableAnswer: It is not JSON, or not what qstat makes of it.
    """
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
        if isinstance(attributes, dict) and answers.is_told(job_id, attributes)
    ]


def _asker(options: list[str]) -> Callable[[Sequence[str]], list[str]]:
    return lambda job_ids: ["qstat", *options, *job_ids]


def _read_json(result: CommandResult) -> Answer:
    return answers.read_listing(result, parse_json)


def _read_dsv(result: CommandResult) -> Answer:
    return answers.read_listing(result, lambda stdout: answers.parse_dsv(stdout, _DELIMITER))


def _read_full(result: CommandResult) -> Answer:
    return answers.read_listing(result, answers.parse_full)


_READERS = {"json": _read_json, _DELIMITER: _read_dsv, "-w": _read_full}
