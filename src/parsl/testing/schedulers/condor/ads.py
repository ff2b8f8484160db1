"""What HTCondor tells of jobs: their class ads, as far as somebody asks for them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

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
    Job,
)

_NUMBERS = {QUEUED: 1, WAITING: 1, RUNNING: 2, HELD: 5, EXITING: 6, SUSPENDED: 7}
_REMOVED, _COMPLETED = 3, 4
_FIRST_SIGNAL_STATUS = 128


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
    """Whether condor_q tells of a job, rather than condor_history."""
    return job.state != FINISHED or (job.keep == "leave_in_queue" and not job.end_reason)


class Query:
    """What condor_q or condor_history was asked.

    Args:
        arguments: Their command line without the program's name.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self.numbers: set[int] = set()
        self.attributes: list[str] = []
        self.wants_json = False
        self.wants_text = False
        rest = list(arguments)
        while rest:
            word = rest.pop(0)
            if word == "-json":
                self.wants_json = True
            elif word.startswith(("-af", "-autoformat")):
                self.wants_text = True
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
        """Write the answer; about no job, there is none."""
        ads = [job_ad(job) for job in jobs if not self.numbers or job.number in self.numbers]
        if self.wants_text:
            return "".join(
                " ".join(str(ad.get(name, "undefined")) for name in self.attributes) + "\n" for ad in ads
            )
        if self.wants_json:
            return self._json(ads)
        return "".join(f"{ad['ClusterId']}.0 {ad['Owner']} {ad['JobStatus']} {ad['Cmd']}\n" for ad in ads)

    def _json(self, ads: Sequence[dict[str, object]]) -> str:
        if not ads:
            return ""
        import json

        if self.attributes:
            ads = [{name: ad[name] for name in self.attributes if name in ad} for ad in ads]
        return "[\n" + "\n,\n".join(json.dumps(ad, indent=2) for ad in ads) + "\n]\n"
