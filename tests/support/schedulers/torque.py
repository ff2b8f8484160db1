"""A stand-in for Torque: PBS's qsub, and answers of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from parsl.testing.schedulers.answers import fold
from parsl.testing.schedulers.attributes import format_duration, full_id, parse_id, short, state_letter
from parsl.testing.schedulers.command import Answer, Call, Command
from parsl.testing.schedulers.dialect import LaunchPlan, PBSDialect
from parsl.testing.schedulers.records import ABORTED, DELETED, FINISHED, OVER_WALLTIME, Job, Payload, Settings
from parsl.testing.schedulers.refusals import UNKNOWN_JOB, Refusal
from parsl.testing.schedulers.server import delete_job

_SIGTERM_STATUS = 271
_INVALID_STATE = 170
_HEAD = """\
Job ID                    Name             User            Time Use S Queue
------------------------- ---------------- --------------- -------- - -----
"""


class TorqueDialect(PBSDialect):
    """Like PBS, but with short names in the node file, and one exit status for all jobs that Torque ends."""

    exit_statuses: Mapping[str, int] = dict.fromkeys((ABORTED, DELETED, OVER_WALLTIME), _SIGTERM_STATUS)

    def launch_plan(self, job: Job, payload: Payload) -> LaunchPlan:
        plan = super().launch_plan(job, payload)
        [(path, text)] = plan.files
        names = "".join(short(line) + "\n" for line in text.splitlines())
        per_node = job.chunks[0].processes
        variables = {
            "PBS_NUM_NODES": str(job.node_count),
            "PBS_NUM_PPN": str(per_node),
            "PBS_NP": str(len(text.splitlines())),
        }
        return plan._replace(files=((path, names),), environment={**plan.environment, **variables})

    def run_comment(self, job: Job) -> str:
        return ""

    def end_comment(self, job: Job) -> str:
        return job.comment


class TorqueQdel(Command):
    """Torque's ``qdel``."""

    name = "qdel"
    flags = "pa"
    valued = "mtW"

    def execute(self, call: Call) -> Answer:
        _, operands = self.parse(call.arguments)
        refusals = []
        with call.store.transaction() as state:
            for operand in operands:
                number = parse_id(operand, call.settings.server)
                job = None if number is None else state.job(number)
                if number is None:
                    refusals.append(Refusal(f"illegally formed job identifier: {operand}", 1))
                elif job is None or job.forgotten:
                    refusals.append(Refusal(f"Unknown Job Id Error {operand}", UNKNOWN_JOB))
                elif job.state == FINISHED:
                    text = "Request invalid for state of job MSG=invalid state for job - COMPLETE"
                    refusals.append(Refusal(f"{text} {operand}", _INVALID_STATE))
                else:
                    delete_job(state, job, job.comment, job.comment)
        return Answer("", *self.summarize(refusals))


class TorqueQstat(Command):
    """Torque's ``qstat``, which shows finished jobs as completed as long as the history is kept."""

    name = "qstat"
    flags = "fantse1irq"
    valued = "uW"

    def execute(self, call: Call) -> Answer:
        options, operands = self.parse(call.arguments)
        settings = call.settings
        refusals: list[Refusal] = []
        with call.store.transaction() as state:
            if operands:
                numbers = [(operand, parse_id(operand, settings.server)) for operand in operands]
                found = [
                    (operand, None if number is None else state.job(number)) for operand, number in numbers
                ]
            else:
                found = [("", job) for job in state.jobs()]
            jobs: list[Job] = []
            for operand, job in found:
                if (
                    job is not None
                    and not job.forgotten
                    and (job.state != FINISHED or settings.policy.history)
                ):
                    jobs.append(job)
                elif operand:
                    refusals.append(Refusal(f"Unknown Job Id Error {operand}", UNKNOWN_JOB))
            payloads = {job.number: state.payload(job.number) for job in jobs}
        if any(letter == "f" for letter, _ in options):
            text = render_full(jobs, payloads, settings, time.time())
        else:
            text = render_table(jobs, settings.server)
        return Answer(text, *self.summarize(refusals))


def _letter(job: Job) -> str:
    return state_letter(job).replace("F", "C")


def render_table(jobs: Sequence[Job], server: str) -> str:
    """Write the output of plain ``qstat``, which is empty without jobs."""
    rows = (
        f"{full_id(job.number, server)[:25]:25} {job.name[-16:]:16} {job.owner[:15]:15} "
        f"{'00:00:00' if job.started_s else '0':>8} {_letter(job)} {job.queue:15}\n"
        for job in jobs
    )
    return _HEAD + "".join(rows) if jobs else ""


def render_full(jobs: Sequence[Job], payloads: dict[int, Payload], settings: Settings, now_s: float) -> str:
    """Write the output of ``qstat -f``."""
    blocks = []
    for job in jobs:
        attributes = _attributes(job, payloads[job.number], settings, now_s)
        lines = (fold(f"    {name} = {value}") for name, value in attributes if value is not None)
        blocks.append("\n".join([f"Job Id: {full_id(job.number, settings.server)}", *lines]) + "\n\n")
    return "".join(blocks)


def _attributes(job: Job, payload: Payload, settings: Settings, now_s: float) -> list[tuple[str, str | None]]:
    used = format_duration((job.obit_s or now_s) - job.started_s) if job.started_s else None
    hosts = "+".join(f"{short(place.host)}/0-{max(0, place.cpus - 1)}" for place in job.placements)
    return [
        ("Job_Name", job.name),
        ("Job_Owner", f"{job.owner}@{settings.login_host}"),
        ("resources_used.walltime", used),
        ("job_state", _letter(job)),
        ("queue", job.queue),
        ("server", settings.server),
        ("Account_Name", job.account or None),
        ("Checkpoint", "u"),
        ("ctime", time.ctime(job.created_s)),
        ("Error_Path", f"{settings.login_host}:{job.error_path}"),
        ("exec_host", hosts or None),
        ("Hold_Types", job.hold),
        ("Join_Path", job.join),
        ("Keep_Files", job.keep),
        ("Mail_Points", "a"),
        ("mtime", time.ctime(job.modified_s)),
        ("Output_Path", f"{settings.login_host}:{job.output_path}"),
        ("Priority", "0"),
        ("qtime", time.ctime(job.created_s)),
        ("Rerunable", str(job.rerunnable)),
        ("Resource_List.nodect", str(job.node_count)),
        ("Resource_List.nodes", _nodes(job)),
        ("Resource_List.walltime", None if job.walltime_s is None else format_duration(job.walltime_s)),
        ("session_id", str(job.session_id) if job.session_id else None),
        ("substate", None),
        ("Variable_List", ",".join(f"{name}={value}" for name, value, _ in payload.variables)),
        ("comment", job.comment or None),
        ("etime", time.ctime(job.created_s)),
        ("exit_status", None if job.exit_status is None else str(job.exit_status)),
        ("submit_args", job.submit_arguments),
        ("start_time", time.ctime(job.started_s) if job.started_s else None),
        ("start_count", str(job.run_count) if job.run_count else None),
        ("comp_time", time.ctime(job.finished_s) if job.state == FINISHED else None),
    ]


def _nodes(job: Job) -> str:
    return "+".join(f"{chunk.pieces}:ppn={chunk.processes}" for chunk in job.chunks)


qdel = TorqueQdel.main
qstat = TorqueQstat.main
