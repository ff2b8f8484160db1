"""What Grid Engine prints about jobs."""

from __future__ import annotations

import re

from parsl.providers.batch.answers import (
    JobRecord,
    complaint,
    complete_lines,
    silence,
    unusable,
    usable,
)
from parsl.vocabulary.job_states import JobState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.common.commands import CommandResult
    from parsl.providers.batch.answers import Answer

#: What the commands write when they find no qmaster.
UNREACHABLE = (
    r"unable to (?:contact|send message to) qmaster|commlib error|can't connect to|"
    r"got (?:select|send|read) (?:error|timeout)|unable to initialize environment|"
    r"cell directory .* doesn't exist|connection refused|communication error"
)
_LISTED = re.compile(
    r"\s*(?P<id>\d+)\s+\d+\.\d+\s+\S+\s+\S+\s+(?P<state>[A-Za-z]{1,6})\s+\d\S*\s+\d\S*(?:\s|$)"
)
_NO_SUCH_JOB = re.compile(
    r"do not exist or permissions are not sufficient:\s*(?P<ids>\d[\d\s,]*)", re.IGNORECASE
)
_NO_SUCH_NAME = re.compile("do not exist or permissions are not sufficient", re.IGNORECASE)
_DETAIL_NUMBER = re.compile(r"^job_number:\s+(?P<id>\d+)\s*$", re.MULTILINE)
_DETAIL_ERROR = re.compile(r"^error reason\s+\d*:?\s*(?P<words>.+)$", re.MULTILINE)
_VERIFIED = re.compile(r"verification: (?P<verdict>.+)")
_OBSTACLE = re.compile(r"Job (?P<id>\d+) (?P<words>.+)")
_NEVER_RUNS = "no suitable queues"
_ACCOUNT_LINE = re.compile(r"(?P<name>\w+)\s+(?P<value>.*)")
_ACCOUNT_START = re.compile(r"={10,}")

#: So many reasons of a job are shown: there is one for each host.
_SHOWN_REASONS = 3

#: Codes of the field `failed` of a finished job: 37 is a limit on run or CPU time, 100 any signal.
_FAILED_LIMIT = "37"


def read_qstat(result: CommandResult) -> Answer:
    """Read the table that qstat prints of all jobs."""
    if (silent := silence(result, UNREACHABLE)) is not None:
        return silent
    lines = complete_lines(result.stdout)
    matches = [match for line in lines if (match := _LISTED.match(line))]
    if result.exit_code != 0 or (result.stdout.strip() and not matches):
        return unusable(complaint(result))
    return usable(JobRecord(match["id"], *meaning(match["state"])) for match in matches)


def meaning(letters: str) -> tuple[JobState, str | None]:
    """Say what the letters of a state mean; each of them says one thing about the job."""
    if not set(letters) <= set("acdEhmoqrRsStTwuz"):
        return JobState.UNKNOWN, f"Grid Engine calls its state {letters!r}"
    if "E" in letters:
        return JobState.HELD, "it could not be started, and waits in an error state"
    if "z" in letters:
        return JobState.UNKNOWN, "it has ended"  # only qacct can say how
    if "h" in letters and "q" in letters:
        return JobState.HELD, "held"
    if "q" in letters:
        return JobState.PENDING, None
    if any(letter in letters for letter in "rtRsSTd"):
        return JobState.RUNNING, "suspended" if any(letter in letters for letter in "sST") else None
    return JobState.UNKNOWN, f"Grid Engine calls its state {letters!r}"


def read_details(result: CommandResult) -> Answer:
    """Read what ``qstat -j`` prints of one job, or that there is no such job."""
    if (silent := silence(result, UNREACHABLE)) is not None:
        return silent
    words = f"{result.stdout}\n{result.stderr}"
    if missing := _NO_SUCH_JOB.search(words):
        return usable((), re.findall(r"\d+", missing["ids"]))
    number = _DETAIL_NUMBER.search(result.stdout)
    if number is None or result.exit_code != 0:
        return unusable(complaint(result))
    reasons = " ".join(match["words"].strip() for match in _DETAIL_ERROR.finditer(result.stdout))
    if reasons:
        return usable([JobRecord(number["id"], JobState.HELD, reasons)])
    return usable([JobRecord(number["id"], JobState.UNKNOWN, "it exists")])


def read_verification(result: CommandResult) -> Answer:
    """Read which jobs ``qalter -w v`` finds no queue for, in an empty cluster: such a job can never run.

    It has a line with a verdict for each job, in their order, and lines with reasons before those that say
    no. Queues that are full, or disabled, or on hosts that are down, are suitable ones for it.
    """
    if (silent := silence(result, UNREACHABLE)) is not None:
        return silent
    records: list[JobRecord] = []
    reasons: dict[str, list[str]] = {}
    for line in complete_lines(result.stdout):
        if obstacle := _OBSTACLE.fullmatch(line.strip()):
            reasons.setdefault(obstacle["id"], []).append(obstacle["words"])
        elif verified := _VERIFIED.fullmatch(line.strip()):
            if verified["verdict"] == _NEVER_RUNS and len(reasons) == 1:
                records += [_never_runs(job_id, words) for job_id, words in reasons.items()]
            reasons = {}
    return usable(records)


def _never_runs(job_id: str, reasons: list[str]) -> JobRecord:
    words = f"{_NEVER_RUNS}: {'; '.join(sorted(reasons)[:_SHOWN_REASONS])}"
    return JobRecord(job_id, JobState.HELD, words, can_never_run=True)


def read_ids(result: CommandResult) -> list[str] | None:
    """Read the numbers of the jobs that ``qstat -j NAME`` tells of; None if it has not answered."""
    if _NO_SUCH_NAME.search(f"{result.stdout}\n{result.stderr}"):
        return []
    if result.timed_out or result.exit_code != 0:
        return None
    return [match["id"] for match in _DETAIL_NUMBER.finditer(result.stdout)]


def read_qacct(result: CommandResult) -> Answer:
    """Read the account that ``qacct -j`` gives of a job that has ended; the last run of it counts."""
    if (silent := silence(result, UNREACHABLE)) is not None:
        return silent
    accounts: list[dict[str, str]] = []
    for line in complete_lines(result.stdout):
        if _ACCOUNT_START.fullmatch(line.strip()):
            accounts.append({})
        elif accounts and (match := _ACCOUNT_LINE.match(line)):
            accounts[-1].setdefault(match["name"], match["value"].strip())
    records = [record for account in accounts if (record := _ended(account)) is not None]
    return usable(records) if records else unusable(complaint(result))


def _ended(account: dict[str, str]) -> JobRecord | None:
    job_id = account.get("jobnumber", "")
    code = re.match(r"(\d{1,3})(?!\d)", account.get("exit_status", ""))
    failed = account.get("failed", "")
    if not re.fullmatch(r"\d+", job_id, re.ASCII) or code is None or not re.match(r"\d", failed):
        return None
    number = failed.split()[0]
    exit_code = int(code[1])
    deleted_by = account.get("deleted_by", "NONE")
    if number == _FAILED_LIMIT:
        return JobRecord(job_id, JobState.TIMEOUT, failed, exit_code)
    if deleted_by not in ("", "NONE"):
        return JobRecord(job_id, JobState.CANCELLED, f"deleted by {deleted_by}", exit_code)
    if number == "0" and exit_code == 0:
        return JobRecord(job_id, JobState.COMPLETED, None, 0)
    return JobRecord(job_id, JobState.FAILED, None if number == "0" else failed, exit_code)
