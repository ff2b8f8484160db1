"""How Slurm is spoken to."""

from __future__ import annotations

import re

from parsl.providers.batch.answers import Question, Search
from parsl.providers.batch.dialect import Dialect
from parsl.providers.batch.refusal import RefusalRules
from parsl.providers.slurm import answers
from parsl.vocabulary.job_states import JobState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from parsl.providers.batch.answers import JobRecord


class SlurmDialect(Dialect):
    """Slurm: sbatch, squeue, scancel; sacct and scontrol for how a job has ended.

    squeue forgets a job a few minutes after its end (MinJobAge), sacct does not, where there is one.

    Args:
        job_id_pattern: A regular expression for what sbatch prints; its group ``id`` is the job's id.
        clusters: The clusters to submit to; None for the one of this machine.
    """

    unreachable = answers.UNREACHABLE
    gone = r"job id[: ]+(?P<id>\d\S*?):? +(?:Invalid job id|Job/step already complet)"
    refusals = RefusalRules(
        transient=(
            answers.UNREACHABLE,
            r"job violates accounting/QOS policy",  # often a limit on jobs in the queue
            r"reached .* limit|submit limit",
            r"partition .* (?:down|drain|inactive)|required partition not available",
        ),
        permanent=(
            r"invalid partition|invalid account|invalid qos|invalid (?:job )?reservation",
            r"invalid (?:feature|generic resource|gres|constraint|cluster)|invalid license",
            r"requested (?:node configuration|time limit|partition configuration)",
            r"node count specification invalid|more processors requested|too many nodes",
            r"user's group not permitted|access/permission denied|access denied|invalid user",
            r"unrecognized option|invalid option|unknown option|invalid directive|ambiguous option",
            r"unable to open file|this does not look like a batch script|script is empty",
            r"invalid .* specification|can't find address for cluster|no cluster|memory specification",
        ),
    )

    def __init__(self, job_id_pattern: str, clusters: str | None = None) -> None:
        self._job_id_pattern = job_id_pattern
        self._clusters = [f"--clusters={clusters}"] if clusters else []

    def submit_command(self, path: str) -> list[str]:
        return ["sbatch", path]

    def read_job_id(self, stdout: str) -> str | None:
        for line in stdout.splitlines():
            if (match := re.search(self._job_id_pattern, line)) and match["id"]:
                return match["id"].strip()
        return None

    def questions(self) -> Sequence[Question]:
        return (Question(self._ask_squeue, answers.read_squeue),)

    def history_question(self) -> Question | None:
        return Question(self._ask_sacct, answers.read_sacct)

    def detail_question(self) -> Question | None:
        return Question(self._ask_scontrol, answers.read_scontrol)

    def wants_detail(self, record: JobRecord) -> bool:
        return record.state is JobState.FAILED and record.exit_code is None

    def search(self, name: str) -> Search | None:
        command = ["squeue", *self._clusters, "--noheader", "--format=%i", f"--name={name}"]
        return Search(command, answers.read_ids)

    def cancel_command(self, job_ids: Sequence[str]) -> list[str]:
        return ["scancel", *self._clusters, *map(self.short_id, job_ids)]

    def short_id(self, job_id: str) -> str:
        return answers.short_id(job_id)

    def _ask_squeue(self, job_ids: Sequence[str]) -> list[str]:
        ids = ",".join(map(self.short_id, job_ids))
        return ["squeue", *self._clusters, "--noheader", "--states=all", "--format=%i|%T|%r", f"--jobs={ids}"]

    def _ask_sacct(self, job_ids: Sequence[str]) -> list[str]:
        ids = ",".join(map(self.short_id, job_ids))
        columns = "--format=jobid,state%30,exitcode"
        return ["sacct", *self._clusters, "-X", "--noheader", "--parsable", columns, f"--jobs={ids}"]

    def _ask_scontrol(self, job_ids: Sequence[str]) -> list[str]:
        ids = ",".join(map(self.short_id, job_ids))
        return ["scontrol", *self._clusters, "-o", "show", "job", ids]
