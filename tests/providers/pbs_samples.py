"""The recorded output of two versions of PBS Pro: samples/pbs, with the exit codes in its README."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

from parsl.common.commands import CommandResult

SAMPLES = Path(__file__).parent / "samples" / "pbs"
VERSIONS = ("v23.06.06", "main-2026-04")
_ROW = re.compile(r"\| (?P<files>[^|]+) \| `(?P<command>.*?)` \| (?P<code>\d+) \| [\d.]+ \|")
#: The command whose output a loop recorded in a file.
_EXITING = "qstat -x -f -F json 34.aurora-pbs-0001.hostmgmt.cm.aurora.lcf.lab.test"


@cache
def load(version: str) -> dict[str, CommandResult]:
    """Return the recorded results of a version by their names, such as ``"qstat-running"``."""
    results = {}
    for line in (SAMPLES / version / "README.md").read_text().splitlines():
        if row := _ROW.match(line):
            files = [SAMPLES / version / name for name in row["files"].split(", ")]
            if all(path.exists() for path in files):
                result = _result(files, row["command"], int(row["code"]))
                results.setdefault(files[0].stem, result)
    return results


def names(prefix: str) -> list[tuple[str, str]]:
    """Return (version, name) of all samples with a prefix."""
    return [(version, name) for version in VERSIONS for name in load(version) if name.startswith(prefix)]


def _result(files: list[Path], command: str, exit_code: int) -> CommandResult:
    words = shlex.split(command.replace(r"\|", "'|'"))
    if words[0] == "cat":
        words = _EXITING.split()
    if words[0] == "timeout":
        words = words[2:]
    texts = {"err" if path.suffix == ".err" else "out": path.read_text() for path in files}
    timed_out = exit_code == 124
    return CommandResult(
        tuple(words), -9 if timed_out else exit_code, texts.get("out", ""), texts.get("err", ""), timed_out
    )
