"""Recorded output of PBS, and the jobs in it as our records."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

from parsl.testing.schedulers.attributes import LETTERS
from parsl.testing.schedulers.qsub_options import parse_select
from parsl.testing.schedulers.records import DELETED, OVER_WALLTIME, Job, Payload, Placement, Policy, Settings

SAMPLES = Path(__file__).parents[2] / "providers" / "samples" / "pbs"
RELEASE, MAIN = "v23.06.06", "main-2026-04"
SERVER = "aurora-pbs-0001.hostmgmt.cm.aurora.lcf.lab.test"
LOGIN_HOST = "aurora-uan-0001.hostmgmt.cm.aurora.lcf.lab.test"
DOMAIN = ".hsn.cm.aurora.lcf.lab.test"
_STATES = {letter: state for state, letter in LETTERS.items()}


def sample(flavour, name):
    return (SAMPLES / flavour / name).read_text()


def settings(flavour, **policy):
    hosts = ("x4000c0s0b0n0" + DOMAIN,)
    dialect = "parsl.testing.schedulers.dialect:PBSDialect"
    return Settings(dialect, flavour, SERVER, LOGIN_HOST, hosts, Policy(**policy), "/bin")


def jobs_of(flavour, name):
    """The jobs of a recorded answer, each with its payload, and the time of the answer."""
    text = sample(flavour, name)
    # What the release prints is not always JSON.
    text = re.sub(r'":(nan|inf|\.5)', r'":"\1"', text)
    text = re.sub(r'("Submit_arguments":"[^\n]*)', lambda line: line[1].replace("\\d", "\\\\d"), text)
    answer = json.loads(text)
    return [job_of(key, each) for key, each in answer.get("Jobs", {}).items()], answer["timestamp"]


def job_of(job_id, attributes):
    requested = attributes["Resource_List"]
    comment = attributes.get("comment", "")
    state = _STATES[attributes["job_state"]]
    others = {name: value for name, value in requested.items() if name not in _SIMULATED}
    reason = DELETED if attributes["substate"] == 91 else ""
    reason = OVER_WALLTIME if "exceeded resource walltime" in comment else reason
    job = Job(
        number=int(job_id.partition(".")[0]),
        name=str(attributes["Job_Name"]),
        owner=attributes["Job_Owner"].partition("@")[0],
        queue=attributes["queue"],
        chunks=parse_select(requested["select"], 208),
        workdir=attributes["Variable_List"]["PBS_O_WORKDIR"],
        output_path=attributes["Output_Path"].partition(":")[2],
        error_path=attributes["Error_Path"].partition(":")[2],
        created_s=_seconds(attributes["ctime"]),
        modified_s=_seconds(attributes["mtime"]),
        state=state,
        account=str(attributes["Account_Name"]),
        walltime_s=_duration_s(requested["walltime"]),
        resources=tuple(others.items()),
        request=requested["select"],
        keep=attributes["Keep_Files"],
        hold=attributes["Hold_Types"],
        shell=attributes.get("Shell_Path_List", ""),
        submit_arguments=attributes["Submit_arguments"],
        executable=re.sub("<.*?>", "", attributes.get("executable", "")),
        not_before_s=_seconds(attributes.get("Execution_Time")),
        started_s=_seconds(attributes.get("stime")),
        obit_s=_seconds(attributes.get("obittime")),
        finished_s=attributes.get("history_timestamp", 0),
        placements=_placements(attributes.get("exec_host", "")),
        session_id=attributes.get("session_id", 0),
        run_count=attributes.get("run_count", 0),
        exit_status=attributes.get("Exit_status"),
        stageout_status=attributes.get("Stageout_status"),
        end_reason=reason,
        comment=comment,
    )
    return job, Payload("", tuple(_variables(attributes["Variable_List"])))


_SIMULATED = ("ncpus", "nodect", "place", "select", "walltime", "mpiprocs")


def _variables(variables):
    for name, value in variables.items():
        yield name, str(value), "qsub" if name.startswith("PBS_O_") else "-v"


def _placements(text):
    hosts = re.findall(r"(\w+)/0\*(\d+)", text)
    return tuple(Placement(host + DOMAIN, int(cpus)) for host, cpus in hosts)


def _seconds(text):
    return time.mktime(time.strptime(text)) if text else 0.0


def _duration_s(text):
    hours, minutes, seconds = text.split(":")
    return int(hours) * 3600.0 + int(minutes) * 60 + int(seconds)
