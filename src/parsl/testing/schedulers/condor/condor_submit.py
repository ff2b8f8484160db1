"""``condor_submit``: notes the job that a submit description describes."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence

from parsl.testing.schedulers.commands import Answer, Call, run_command
from parsl.testing.schedulers.condor.description import (
    BadDescription,
    overtime_s,
    parse_description,
    split_arguments,
)
from parsl.testing.schedulers.pbs.qsub import user_name
from parsl.testing.schedulers.records import Chunk, Job, Payload
from parsl.testing.schedulers.starter import Starter


def main(arguments: Sequence[str]) -> int:
    """Run condor_submit; the first argument is the cluster's directory."""
    return run_command("condor_submit", arguments, _submit)


def _submit(call: Call) -> Answer:
    files = [word for word in call.arguments if not word.startswith("-")]
    try:
        description = parse_description(_read(files))
        inputs = _input_files(description)
    except BadDescription as error:
        return Answer("Submitting job(s)", f"\nERROR: {error}\n", 1)
    with Starter(call.store) as starter, call.store.transaction() as state:
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
        # Whether it can be asked for after its end.
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
