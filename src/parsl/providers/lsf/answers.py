"""What LSF prints about jobs."""

from __future__ import annotations

import re

from parsl.providers.batch.answers import (
    JobRecord,
    complaint,
    complete_lines,
    exit_code_of,
    silence,
    unusable,
    usable,
)
from parsl.vocabulary.job_states import JobState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.common.commands import CommandResult
    from parsl.providers.batch.answers import Answer

#: What the commands write when they find no LSF.
UNREACHABLE = (
    r"LSF is down|batch daemon not responding|failed in an LSF library call|"
    r"cannot connect to LSF|communication time ?out|slave LIM|mbatchd .* not responding|please wait"
)
_NOT_FOUND = re.compile(r"Job <(?P<id>\d+)(?:\[\d+\])?> is not found", re.IGNORECASE)
_NO_SUCH_NAME = re.compile(r"Job <[^>]*> is not found|No unfinished job found", re.IGNORECASE)
_JOB_ID = re.compile(r"\d+(?:\[\d+\])?")

#: What each state of LSF means, and why.
STATES = {
    "DONE": JobState.COMPLETED,
    "EXIT": JobState.FAILED,  # or ended by somebody, as the reason says
    "PEND": JobState.PENDING,
    "PROV": JobState.PENDING,  # its host is being started
    "PSUSP": JobState.HELD,  # somebody has to resume it
    "RUN": JobState.RUNNING,
    "SSUSP": JobState.RUNNING,  # suspended by LSF, which resumes it
    "USUSP": JobState.RUNNING,  # suspended by its owner; it goes on where it was
    "UNKWN": JobState.UNKNOWN,  # LSF has lost the host that it runs on
    "WAIT": JobState.PENDING,  # a part of a chunk
    "ZOMBI": JobState.UNKNOWN,  # killed while LSF had lost its host
}
_TIMEOUTS = ("TERM_RUNLIMIT", "TERM_DEADLINE", "TERM_CPULIMIT")
_CANCELS = ("TERM_OWNER", "TERM_ADMIN", "TERM_FORCE_OWNER", "TERM_FORCE_ADMIN")
#: Reasons of a pending job that do not pass by themselves. Those about hosts do: hosts come and go.
_NEVER_RUNS = re.compile(r"dependency condition (?:is )?invalid or never satisfied", re.IGNORECASE)
_NO_VALUE = frozenset({"", "-"})


def read_bjobs(result: CommandResult) -> Answer:
    """Read ``id|STATE|exit code|exit reason|pending reason`` lines of bjobs."""
    if (silent := silence(result, UNREACHABLE)) is not None:
        return silent
    records = []
    for line in complete_lines(result.stdout):
        fields = [field.strip() for field in line.split("|")]
        if len(fields) >= 4 and _JOB_ID.fullmatch(fields[0]):
            records.append(_make_record(fields))
    unknown = [match["id"] for match in _NOT_FOUND.finditer(f"{result.stderr}\n{result.stdout}")]
    if not records and not unknown and (result.exit_code != 0 or result.stdout.strip()):
        return unusable(complaint(result))
    return usable(records, unknown)


def read_ids(result: CommandResult) -> list[str] | None:
    """Read lines of nothing but ids; None if bjobs has not answered."""
    if _NO_SUCH_NAME.search(result.stderr):
        return []
    if result.timed_out or result.exit_code != 0:
        return None
    return [line.strip() for line in complete_lines(result.stdout) if _JOB_ID.fullmatch(line.strip())]


def _make_record(fields: list[str]) -> JobRecord:
    job_id, state_name, code, reason = fields[:4]
    state = STATES.get(state_name, JobState.UNKNOWN)
    words = "; ".join(field for field in fields[3:] if field not in _NO_VALUE)
    if state is JobState.UNKNOWN:
        words = f"LSF calls its state {state_name!r}" + (f": {words}" if words else "")
    elif state is JobState.FAILED and any(name in reason for name in _TIMEOUTS):
        state = JobState.TIMEOUT
    elif state is JobState.FAILED and any(name in reason for name in _CANCELS):
        state = JobState.CANCELLED
    never_runs = state is JobState.PENDING and _NEVER_RUNS.search(words) is not None
    if never_runs:
        state = JobState.HELD
    exit_code = 0 if state is JobState.COMPLETED else exit_code_of(code)
    has_ended = state_name in ("DONE", "EXIT")
    return JobRecord(job_id, state, words or None, exit_code if has_ended else None, never_runs)
