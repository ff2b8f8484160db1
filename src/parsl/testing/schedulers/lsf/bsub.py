"""``bsub``: notes a job, from a script on stdin or named as the command."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

from parsl.testing.schedulers.commands import Answer, Call, run_command
from parsl.testing.schedulers.lsf.bsub_options import (
    BadBsubOption,
    directives,
    parse_bsub_options,
    parse_run_limit_s,
    processes_per_node,
)
from parsl.testing.schedulers.pbs.qsub import user_name
from parsl.testing.schedulers.records import HELD, QUEUED, Chunk, Job, Payload
from parsl.testing.schedulers.starter import Starter

_DEFAULT_QUEUE = "normal"
_REFUSED = 255


def main(arguments: Sequence[str]) -> int:
    """Run bsub; the first argument is the cluster's directory."""
    return run_command("bsub", arguments, _submit)


def _submit(call: Call) -> Answer:
    try:
        options, command = parse_bsub_options(call.arguments)
        script = _script(command)
        options = {**directives(script), **options}
    except BadBsubOption as error:
        return _refused(str(error))
    queues = call.settings.policy.queues
    queue = options.get("q", queues[0].name if queues else _DEFAULT_QUEUE)
    if queues and queue not in {each.name for each in queues}:
        return _refused(f"{queue}: No such queue")
    limit_s = parse_run_limit_s(options["W"]) if "W" in options else None
    if "W" in options and limit_s is None:
        return _refused(f"{options['W']}: Bad RUNLIMIT specification")
    with Starter(call.store) as starter, call.store.transaction() as state:
        number = state.take_number()
        job = _job(number, options, queue, limit_s, call, " ".join(command))
        variables = tuple((name, value, "") for name, value in os.environ.items())
        state.add(job, Payload(script, variables))
        starter.plan(state, [job])
    return Answer(f"Job <{number}> is submitted to queue <{queue}>.\n")


def _refused(reason: str) -> Answer:
    return Answer("", f"{reason}. Job not submitted.\n", _REFUSED)


def _script(command: Sequence[str]) -> str:
    if not command:
        return sys.stdin.read()
    if len(command) == 1 and os.path.isfile(command[0]):
        with open(command[0]) as file:
            return file.read()
    return " ".join(command) + "\n"


def _job(
    number: int, options: dict[str, str], queue: str, limit_s: float | None, call: Call, command: str
) -> Job:
    now_s = time.time()
    workdir = options.get("cwd", os.getcwd())
    return Job(
        number=number,
        name=options.get("J", command[:60] or "NONAME"),
        owner=user_name(),
        queue=queue,
        chunks=_chunks(options, call.settings.policy.cpus_per_node),
        workdir=workdir,
        output_path=_path(options, ("o", "oo"), workdir, number),
        error_path=_path(options, ("e", "eo"), workdir, number),
        created_s=now_s,
        modified_s=now_s,
        state=HELD if "H" in options else QUEUED,
        account=options.get("P", ""),
        walltime_s=limit_s,
    )


def _chunks(options: dict[str, str], cpus_per_node: int) -> tuple[Chunk, ...]:
    if "nnodes" in options:
        return (Chunk(int(options["nnodes"]), cpus_per_node),)
    processes = int(options.get("n", "1").partition(",")[0])
    per_node = processes_per_node(options.get("R", ""), processes)
    whole, rest = divmod(processes, per_node)
    chunks = [Chunk(whole, per_node, per_node)] if whole else []
    return tuple([*chunks, Chunk(1, rest, rest)] if rest else chunks)


def _path(options: dict[str, str], names: Sequence[str], workdir: str, number: int) -> str:
    path = next((options[name] for name in names if name in options), "")
    return os.path.join(workdir, path.replace("%J", str(number))) if path else ""
