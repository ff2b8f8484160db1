"""What PBS Pro and Torque print about jobs: attributes with the same names in both."""

from __future__ import annotations

import re

from parsl.providers.batch.answers import (
    JobRecord,
    UnreadableAnswer,
    complaint,
    complete_lines,
    exit_code_of,
    silence,
    unreachable,
    unusable,
    usable,
)
from parsl.vocabulary.job_states import JobState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from parsl.common.commands import CommandResult
    from parsl.providers.batch.answers import Answer

#: What the commands write when they find no server.
UNREACHABLE = (
    r"cannot connect to (?:specified )?server|couldn't connect|connection refused|"
    r"network is unreachable|no route to host|errno=15010|connection timed out|"
    r"communication failure|timed? ?out waiting|cannot resolve|unknown host|end of file"
)
#: What they write about a job that has gone.
GONE = (
    r"(?:Unknown Job Id(?: Error)?|Job has finished|Request invalid for state of job(?: MSG=\S+)?|"
    r"nonexistent job id:?) +(?P<id>\d[\w.\[\]-]*)"
)

_UNKNOWN = re.compile(r"Unknown Job Id(?: Error)? +(?P<id>\d[\w.\[\]-]*)", re.IGNORECASE)
_FINISHED = re.compile(r"(?P<id>\d[\w.\[\]-]*) +Job has finished", re.IGNORECASE)
_JOB_ID = re.compile(r"\d+(?:\[\d*\])?(?:\.[A-Za-z0-9_.-]+)?(?:@[A-Za-z0-9_.-]+)?")
_TIME = re.compile(r"(\d{1,9}):(\d\d):(\d\d)", re.ASCII)
_RECORD_START = "Job Id: "
_FULL_ATTRIBUTE = re.compile(r"    (?P<name>[\w.]+) = (?P<value>.*)")
_DSV_ATTRIBUTE = re.compile(r"(?P<name>[A-Za-z_][\w.]*)=(?P<value>.*)", re.DOTALL)
#: Attributes that come after the job's environment, in which anything can stand: the last one counts.
_LATE_ATTRIBUTES = frozenset({"comment", "Exit_status", "exit_status"})

#: What each state of PBS means, and why.
STATES = {
    "B": JobState.RUNNING,  # an array, some of which has begun
    "E": JobState.RUNNING,  # exiting: it still has its nodes, and its output is on its way
    "H": JobState.HELD,  # by the user, an operator or the system: somebody has to release it
    "M": JobState.PENDING,  # moved to another server, which will have something to say
    "Q": JobState.PENDING,
    "R": JobState.RUNNING,
    "S": JobState.RUNNING,  # suspended: it has its nodes, and goes on where it was
    "T": JobState.PENDING,  # on its way from one queue to another
    "U": JobState.RUNNING,  # suspended because somebody uses the workstation
    "W": JobState.PENDING,  # waits for the time that it was submitted for
}
#: States that are final. Before them an exit status is that of an earlier attempt.
_ENDED = frozenset({"F", "X", "C"})

_EXIT_WALLTIME = -29
_EXIT_DELETED = 256 + 15  # by SIGTERM
_SUBSTATE_DELETED = 91
_HOLDERS = {"u": "the user", "o": "an operator", "s": "the system", "p": "a bad password"}
_NEVER = "can never run"


def short_id(job_id: str) -> str:
    """Return the number of a job (with its brackets, of an array), without the name of the server."""
    return job_id.strip().partition(".")[0].partition("@")[0]


def read_job_id(stdout: str) -> str | None:
    """Find the id that qsub prints, among what a site's hooks may print before it."""
    for line in reversed(stdout.splitlines()):
        if _JOB_ID.fullmatch(line.strip()):
            return line.strip()
    return None


def read_listing(
    result: CommandResult, parse: Callable[[str], Iterable[tuple[str, Mapping[str, object]]]]
) -> Answer:
    """Read what qstat has answered.

    Args:
        result: What came of the command.
        parse: Takes its standard output apart, into jobs and their attributes.
    """
    if (silent := silence(result, UNREACHABLE)) is not None:
        return silent
    try:
        records = [make_record(job_id, attributes) for job_id, attributes in parse(result.stdout)]
    except UnreadableAnswer as error:
        if not result.stdout.strip() and not result.stderr.strip():
            return unreachable(f"{result.command[0]} answered nothing")
        if not (unknown := _unknown_ids(result.stderr)):
            return unusable(f"the answer of {result.command[0]} cannot be read: {error}")
        return usable((), unknown)
    unknown = _unknown_ids(result.stderr)
    if not records and not unknown and (result.exit_code != 0 or result.stderr.strip()):
        return unusable(complaint(result))
    return usable(records, unknown)


def parse_full(stdout: str) -> list[tuple[str, dict[str, object]]]:
    """Take apart what ``qstat -f`` prints, whether it folds long lines or not.

    Raises:
        UnreadableAnswer: It is something else.
    """
    unfolded = "\n".join(complete_lines(stdout)).replace("\n\t", "") + "\n"
    jobs: list[tuple[str, dict[str, object]]] = []
    for line in unfolded.splitlines():
        if line.startswith(_RECORD_START):
            jobs.append((line[len(_RECORD_START) :].strip(), {}))
        elif jobs and (match := _FULL_ATTRIBUTE.fullmatch(line)):
            _keep(jobs[-1][1], match["name"], match["value"])
    return _complete(jobs)


def parse_dsv(stdout: str, delimiter: str = "|") -> list[tuple[str, dict[str, object]]]:
    """Take apart what ``qstat -f -F dsv -D DELIMITER`` prints.

    Raises:
        UnreadableAnswer: It is something else.
    """
    text = "\n" + "\n".join(complete_lines(stdout))
    jobs: list[tuple[str, dict[str, object]]] = []
    for record in text.split(f"\n{_RECORD_START}")[1:]:
        job_id, *fields = record.split(delimiter)
        attributes: dict[str, object] = {}
        for field in fields:
            if match := _DSV_ATTRIBUTE.fullmatch(field):
                _keep(attributes, match["name"], match["value"])
        jobs.append((job_id.strip(), attributes))
    return _complete(jobs)


def find_named(
    result: CommandResult, parse: Callable[[str], Iterable[tuple[str, Mapping[str, object]]]], name: str
) -> list[str] | None:
    """Find the jobs of a name in what qstat prints of all jobs; None if it has not answered."""
    if result.timed_out or result.exit_code != 0:
        return None
    if not result.stdout.strip():
        return []
    try:
        jobs = parse(result.stdout)
    except UnreadableAnswer:
        return None
    return [job_id for job_id, attributes in jobs if attributes.get("Job_Name") == name]


def make_record(job_id: str, attributes: Mapping[str, object]) -> JobRecord:
    """Say what the attributes of a job mean."""
    letter = attributes.get("job_state")
    comment = _text(attributes.get("comment"))
    short = short_id(job_id)
    if letter in _ENDED:
        return _ended(short, attributes, comment)
    state = STATES.get(letter) if isinstance(letter, str) else None
    if state is None:
        return JobRecord(short, JobState.UNKNOWN, f"PBS calls its state {letter!r}")
    if state is JobState.HELD:
        return JobRecord(short, state, _why_held(attributes, comment))
    if state is JobState.PENDING and comment and comment.lower().startswith(_NEVER):
        # Nor does it start before somebody does something.
        return JobRecord(short, JobState.HELD, comment, can_never_run=True)
    if letter in ("S", "U"):
        comment = f"suspended; {comment}" if comment else "suspended"
    return JobRecord(short, state, comment)


def _ended(short: str, attributes: Mapping[str, object], comment: str | None) -> JobRecord:
    value = attributes.get("Exit_status", attributes.get("exit_status"))
    exit_code = exit_code_of(value)
    is_deleted = exit_code_of(attributes.get("substate")) == _SUBSTATE_DELETED
    if exit_code == _EXIT_WALLTIME or (comment and "exceeded resource walltime" in comment):
        state = JobState.TIMEOUT
    elif not is_deleted and exit_code == _EXIT_DELETED and _has_used_its_time(attributes):
        state = JobState.TIMEOUT  # Torque ends those in the same way
    elif is_deleted or exit_code is None or exit_code == _EXIT_DELETED:
        state = JobState.CANCELLED  # without an exit status it was deleted before it ever ran
    else:
        state = JobState.COMPLETED if exit_code == 0 else JobState.FAILED
    return JobRecord(short, state, comment, exit_code)


def _why_held(attributes: Mapping[str, object], comment: str | None) -> str:
    kinds = _text(attributes.get("Hold_Types")) or ""
    holders = " and ".join(_HOLDERS[kind] for kind in kinds if kind in _HOLDERS)
    held = f"held by {holders}" if holders else "held"
    return f"{held}: {comment}" if comment else held


def _has_used_its_time(attributes: Mapping[str, object]) -> bool:
    used = _TIME.fullmatch(_text(attributes.get("resources_used.walltime")) or "")
    limit = _TIME.fullmatch(_text(attributes.get("Resource_List.walltime")) or "")
    if used is None or limit is None:
        return False
    return [int(part) for part in used.groups()] >= [int(part) for part in limit.groups()]


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _keep(attributes: dict[str, object], name: str, value: str) -> None:
    if name in _LATE_ATTRIBUTES or name not in attributes:
        attributes[name] = value


def _complete(jobs: list[tuple[str, dict[str, object]]]) -> list[tuple[str, dict[str, object]]]:
    complete = [(job_id, attributes) for job_id, attributes in jobs if is_told(job_id, attributes)]
    if not complete:
        raise UnreadableAnswer("there is no job in it")
    return complete


def is_told(job_id: str, attributes: Mapping[str, object]) -> bool:
    """Whether a job is told of well enough: half an answer may have half of one."""
    return _JOB_ID.fullmatch(job_id) is not None and isinstance(attributes.get("job_state"), str)


def _unknown_ids(stderr: str) -> list[str]:
    """Jobs that the server says it does not know, or, asked without -x, has in its history only."""
    return [short_id(match["id"]) for rule in (_UNKNOWN, _FINISHED) for match in rule.finditer(stderr)]
