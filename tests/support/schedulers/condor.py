"""A stand-in for HTCondor."""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Mapping, Sequence

from parsl.testing.schedulers.command import Answer, Call, user_name
from parsl.testing.schedulers.dialect import PLAIN_PATH, LaunchPlan
from parsl.testing.schedulers.records import (
    DELETED,
    EXITING,
    FINISHED,
    HELD,
    OVER_WALLTIME,
    QUEUED,
    RUNNING,
    SUSPENDED,
    WAITING,
    Chunk,
    Job,
    Payload,
)
from parsl.testing.schedulers.server import JobStarter, delete_job
from tests.support.schedulers.plain import PlainCommand, PlainDialect

_NUMBERS = {QUEUED: 1, WAITING: 1, RUNNING: 2, HELD: 5, EXITING: 6, SUSPENDED: 7}
_REMOVED, _COMPLETED = 3, 4
_FIRST_SIGNAL_STATUS = 128
_OVERTIME = re.compile(r">\s*\(?\s*(\d+)")


class CondorDialect(PlainDialect):
    """A job runs in a directory of its own, with copies of its input files."""

    def job_id(self, job: Job) -> str:
        return f"{job.number}.0"

    def launch_plan(self, job: Job, payload: Payload) -> LaunchPlan:
        scratch = self.path("tmp", f"dir_{job.number}")
        script = self.path("jobs", f"{job.number}.sh")
        stdout, stderr = (self.path("spool", f"{job.number}.{suffix}") for suffix in ("out", "err"))
        outputs = ((stdout, job.output_path), (stderr, job.error_path))
        variables = {name: value for name, value, _ in payload.variables}
        environment = {
            "PATH": f"{self.settings.bin_directory}:{PLAIN_PATH}",
            **variables,
            "_CONDOR_SCRATCH_DIR": scratch,
            "_CONDOR_SLOT": "slot1",
            "TMPDIR": scratch,
            **self.cluster_variables(job),
        }
        return LaunchPlan(
            program="/bin/sh",
            arguments=("/bin/sh", script),
            stdin_text="",
            environment=environment,
            workdir=scratch,
            stdout=stdout,
            stderr=stderr,
            deliveries=tuple((source, target) for source, target in outputs if target),
            script=(script, payload.script),
            directories=(scratch,),
        )


class CondorSubmit(PlainCommand):
    """``condor_submit``: submits the job that a file describes."""

    name = "condor_submit"

    def execute(self, call: Call) -> Answer:
        files = [word for word in call.arguments if not word.startswith("-")]
        try:
            description = parse_description(_read(files))
            inputs = _input_files(description)
        except BadDescription as error:
            return Answer("Submitting job(s)", f"\nERROR: {error}\n", 1)
        with JobStarter(call.store) as starter, call.store.transaction() as state:
            number = state.take_number()
            job = _job(number, description)
            state.add(job, Payload(_script(description, inputs), _variables(description)))
            starter.plan(state, [job])
        return Answer(f"Submitting job(s).\n1 job(s) submitted to cluster {number}.\n")


def _read(files: Sequence[str]) -> str:
    if not files:
        return sys.stdin.read()
    try:
        with open(files[0]) as file:
            return file.read()
    except OSError as error:
        raise BadDescription(f"Failed to open command file ({files[0]}) ({error.strerror})") from None


def _input_files(description: Mapping[str, str]) -> list[str]:
    names = [name.strip() for name in description.get("transfer_input_files", "").split(",")]
    paths = [os.path.abspath(name) for name in names if name]
    if missing := [path for path in paths if not os.path.exists(path)]:
        raise BadDescription(f'Can\'t open "{missing[0]}" with flags 00 (No such file or directory)')
    return paths


def _job(number: int, description: Mapping[str, str]) -> Job:
    now_s = time.time()
    workdir = os.path.abspath(description.get("initialdir", "."))
    cpus = int(description.get("request_cpus", "1"))
    nodes = int(description.get("machine_count", "1"))
    return Job(
        number=number,
        name=os.path.basename(description["executable"]),
        owner=user_name(),
        queue="",
        chunks=(Chunk(nodes, cpus),),
        workdir=workdir,
        output_path=_path(description, "output", workdir, number),
        error_path=_path(description, "error", workdir, number),
        created_s=now_s,
        modified_s=now_s,
        walltime_s=overtime_s(dict(description)),
        request=description.get("periodic_remove", ""),
        # Whether condor_q still reports the job after its end.
        keep="leave_in_queue" if "leave_in_queue" in description else "n",
        place="free",
    )


def _script(description: Mapping[str, str], inputs: Sequence[str]) -> str:
    command = [description["executable"], *split_arguments(description.get("arguments", ""))]
    copies = [f"cp -r {shlex.quote(path)} . || exit 1" for path in inputs]
    return "\n".join([*copies, f"exec {shlex.join(command)}", ""])


def _variables(description: Mapping[str, str]) -> tuple[tuple[str, str, str], ...]:
    words = split_arguments(description.get("environment", ""))
    named = [word.partition("=") for word in words]
    own = dict(os.environ) if description.get("getenv", "").lower() == "true" else {}
    own.update((name, value) for name, equals, value in named if equals)
    return tuple((name, value, "") for name, value in own.items())


def _path(description: Mapping[str, str], name: str, workdir: str, number: int) -> str:
    path = description.get(name, "").replace("$(Cluster)", str(number)).replace("$(Process)", "0")
    return os.path.join(workdir, path) if path else ""


class BadDescription(Exception):
    """A description is wrong; the message is that of condor_submit."""


def parse_description(text: str) -> dict[str, str]:
    """Read ``name = value`` lines up to ``queue``; names in small letters.

    Raises:
        BadDescription: A line is something else, ``queue`` or ``executable`` is missing.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.lower().split()[0] == "queue":
            break
        name, equals, value = line.partition("=")
        if not equals or not re.fullmatch(r"\+?[\w.]+", name.strip()):
            raise BadDescription(
                f"on Line {number} of submit file: \nERROR: Failed to parse command file (line {number})."
            )
        found[name.strip().lower()] = value.strip()
    else:
        raise BadDescription("no 'queue' statement was found")
    if "executable" not in found:
        raise BadDescription("No 'executable' parameter was provided")
    return found


def split_arguments(text: str) -> list[str]:
    """Read ``arguments`` or ``environment`` in the syntax ``"one 'two words' it''s"``, or plain words."""
    if not (len(text) > 1 and text.startswith('"') and text.endswith('"')):
        return text.split()
    words: list[str] = []
    word, is_open, is_quoted = "", False, False
    characters = text[1:-1].replace('""', '"')
    position = 0
    while position < len(characters):
        character = characters[position]
        if is_quoted and characters.startswith("''", position):
            word += "'"
            position += 1
        elif character == "'":
            is_quoted, is_open = not is_quoted, True
        elif character.isspace() and not is_quoted:
            if is_open:
                words.append(word)
            word, is_open = "", False
        else:
            word, is_open = word + character, True
        position += 1
    return [*words, word] if is_open else words


def overtime_s(description: dict[str, str]) -> float | None:
    """Return after how many seconds of running ``periodic_remove`` is true; None if never."""
    match = _OVERTIME.search(description.get("periodic_remove", ""))
    return float(match[1]) if match else None


class CondorQ(PlainCommand):
    """``condor_q``: reports the jobs in the queue."""

    name = "condor_q"

    def execute(self, call: Call) -> Answer:
        with call.store.transaction() as state:
            jobs = [job for job in state.jobs() if is_in_queue(job) and not job.forgotten]
        return Answer(Query(call.arguments).render(jobs))


class CondorHistory(PlainCommand):
    """``condor_history``: reports jobs that have left the queue, the last first."""

    name = "condor_history"

    def execute(self, call: Call) -> Answer:
        with call.store.transaction() as state:
            jobs = [job for job in state.jobs() if not is_in_queue(job) and not job.forgotten]
        return Answer(Query(call.arguments).render(jobs[::-1] if call.settings.policy.history else ()))


class CondorRm(PlainCommand):
    """``condor_rm``: requests the end of jobs."""

    name = "condor_rm"

    def execute(self, call: Call) -> Answer:
        marked: list[str] = []
        errors: list[str] = []
        with call.store.transaction() as state:
            for operand in (word for word in call.arguments if not word.startswith("-")):
                number = operand.partition(".")[0]
                job = state.job(int(number)) if number.isdigit() else None
                if job is None or job.forgotten or job.state == FINISHED:
                    errors.append(f"Job {operand} not found\n")
                else:
                    delete_job(state, job, job.comment, job.comment)
                    marked.append(f"Job {operand} marked for removal\n")
        return Answer("".join(marked), "".join(errors), 1 if errors else 0)


def job_ad(job: Job) -> dict[str, object]:
    """Return the attributes of a job."""
    ad: dict[str, object] = {
        "ClusterId": job.number,
        "ProcId": 0,
        "JobStatus": _status(job),
        "Owner": job.owner,
        "Cmd": job.name,
        "QDate": int(job.created_s),
        "EnteredCurrentStatus": int(job.modified_s),
    }
    if job.state == HELD:
        ad["HoldReason"] = job.comment or "via condor_hold"
    if job.end_reason == DELETED:
        ad["RemoveReason"] = f"via condor_rm (by user {job.owner})"
    if job.end_reason == OVER_WALLTIME:
        ad["RemoveReason"] = f"The job attribute PeriodicRemove expression '{job.request}' evaluated to TRUE"
    if ad["JobStatus"] == _COMPLETED and job.exit_status is not None:
        ad.update(_ending(job.exit_status))
    return ad


def _status(job: Job) -> int:
    if job.claimed_state:
        return int(job.claimed_state)
    if job.state == FINISHED:
        return _REMOVED if job.end_reason else _COMPLETED
    return _NUMBERS[job.state]


def _ending(exit_status: int) -> dict[str, object]:
    if exit_status > _FIRST_SIGNAL_STATUS:
        return {"ExitBySignal": True, "ExitSignal": exit_status - _FIRST_SIGNAL_STATUS}
    return {"ExitBySignal": False, "ExitCode": exit_status}


def is_in_queue(job: Job) -> bool:
    """Whether condor_q reports a job, rather than condor_history."""
    return job.state != FINISHED or (job.keep == "leave_in_queue" and not job.end_reason)


class Query:
    """The command line of condor_q or condor_history.

    Args:
        arguments: The command line without the program's name.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self.numbers: set[int] = set()
        self.attributes: list[str] = []
        self.is_json = False
        self.is_text = False
        rest = list(arguments)
        while rest:
            word = rest.pop(0)
            if word == "-json":
                self.is_json = True
            elif word.startswith(("-af", "-autoformat")):
                self.is_text = True
                while rest and not rest[0].startswith("-"):
                    self.attributes.append(rest.pop(0))
            elif word == "-attributes" and rest:
                self.attributes += rest.pop(0).split(",")
            elif word in ("-limit", "-constraint", "-name", "-pool") and rest:
                rest.pop(0)
            elif word.partition(".")[0].isdigit():
                self.numbers.add(int(word.partition(".")[0]))

    def __repr__(self) -> str:
        return f"<Query {len(self.numbers)} jobs, {len(self.attributes)} attributes>"

    def render(self, jobs: Sequence[Job]) -> str:
        """Write the answer, which is empty without jobs."""
        ads = [job_ad(job) for job in jobs if not self.numbers or job.number in self.numbers]
        if self.is_text:
            return "".join(
                " ".join(str(ad.get(name, "undefined")) for name in self.attributes) + "\n" for ad in ads
            )
        if self.is_json:
            return self._json(ads)
        return "".join(f"{ad['ClusterId']}.0 {ad['Owner']} {ad['JobStatus']} {ad['Cmd']}\n" for ad in ads)

    def _json(self, ads: Sequence[dict[str, object]]) -> str:
        if not ads:
            return ""
        import json

        if self.attributes:
            ads = [{name: ad[name] for name in self.attributes if name in ad} for ad in ads]
        return "[\n" + "\n,\n".join(json.dumps(ad, indent=2) for ad in ads) + "\n]\n"


condor_submit = CondorSubmit.main
condor_q = CondorQ.main
condor_history = CondorHistory.main
condor_rm = CondorRm.main
