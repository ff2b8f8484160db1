"""A stand-in for Torque: PBS's qsub, and answers of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from parsl.testing.schedulers.answers import fold
from parsl.testing.schedulers.attributes import (
    flatten,
    format_duration,
    full_id,
    job_attributes,
    parse_id,
    short,
    state_letter,
)
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
#: The attributes of a job, in the order of Torque.
_ATTRIBUTES = """
    Job_Name Job_Owner resources_used.walltime job_state queue server Account_Name Checkpoint ctime Error_Path
    exec_host Hold_Types Join_Path Keep_Files Mail_Points mtime Output_Path Priority qtime Rerunable
    Resource_List.nodect Resource_List.nodes Resource_List.walltime session_id Variable_List comment etime
    exit_status submit_args start_time start_count comp_time
"""
#: PBS's names of attributes that Torque names differently.
_PBS_NAMES = {
    "exit_status": "Exit_status",
    "submit_args": "Submit_arguments",
    "start_time": "stime",
    "start_count": "run_count",
}


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
    shared = dict(flatten(job_attributes(job, payload, settings, now_s)))
    hosts = "+".join(f"{short(place.host)}/0-{max(0, place.cpus - 1)}" for place in job.placements)
    own = {
        "job_state": _letter(job),
        "exec_host": hosts or None,
        "Resource_List.nodes": "+".join(f"{chunk.pieces}:ppn={chunk.processes}" for chunk in job.chunks),
        "session_id": str(job.session_id) if job.session_id else None,
        "etime": shared["ctime"],
        "comp_time": time.ctime(job.finished_s) if job.state == FINISHED else None,
    }
    if job.started_s:
        own["resources_used.walltime"] = format_duration((job.obit_s or now_s) - job.started_s)
    return [(name, own.get(name, shared.get(_PBS_NAMES.get(name, name)))) for name in _ATTRIBUTES.split()]


qdel = TorqueQdel.main
qstat = TorqueQstat.main
