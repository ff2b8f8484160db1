"""The options of qsub, on its command line and in a script, with the resources of ``-l``. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from parsl.testing.schedulers.attributes import parse_duration_s
from parsl.testing.schedulers.command import BadOption, parse_short_options
from parsl.testing.schedulers.records import Chunk
from parsl.testing.schedulers.refusals import QSUB_USAGE, Refusal, bad_directive, bad_option, qsub_refusal

_FLAGS = "fhIVXz"
_VALUED = "aAcCejJklmMNopPqrRSuvW"
_PREFIX = "#PBS"
#: A quoted part of a word or item; the closing quote may be missing.
_QUOTED = re.compile(r"""'([^']*)'?|"([^"]*)"?""")
_WORD = re.compile(r"""(?:'[^']*'?|"[^"]*"?|[^\s'"])+""")
_ITEM = re.compile(r"""(?:'[^']*'?|"[^"]*"?|[^,'"])+""")
#: The resources in a chunk of ``select``. The stand-in counts CPUs and processes only.
_CHUNK_RESOURCES = frozenset([
    "ncpus", "mpiprocs", "ompthreads", "mem", "vmem", "ngpus", "naccelerators", "nmics", "host",
    "vnode", "arch", "system", "accelerator", "accelerator_model", "gputype", "cluster",
])  # fmt: skip
#: The resources directly after ``-l``.
_JOB_RESOURCES = frozenset([
    "select", "place", "walltime", "ncpus", "nodes", "mem", "vmem", "pmem", "pvmem", "cput", "pcput",
    "nice", "file", "filesystems", "software", "ngpus", "mpiprocs", "ompthreads", "host", "arch",
    "min_walltime", "max_walltime", "singularity_fakeroot",
])  # fmt: skip


class CommandLine(NamedTuple):
    """The command line of qsub."""

    arguments: tuple[str, ...]
    #: The options with their values, or "".
    options: tuple[tuple[str, str], ...]
    #: The script; None for stdin.
    script: str | None = None
    #: The command after ``--``, instead of a script.
    command: tuple[str, ...] = ()

    def all_options(self, script: str) -> list[tuple[str, str]]:
        """Return the options, followed by those in a script, which count less."""
        prefix = next((value for letter, value in self.options if letter == "C"), _PREFIX)
        return [*self.options, *directives(script, prefix)]


def parse_command_line(arguments: Sequence[str]) -> CommandLine:
    """Read the command line of qsub."""
    try:
        options, rest = parse_short_options(arguments, _FLAGS, _VALUED)
    except BadOption as error:
        raise bad_option(str(error)) from None
    line = CommandLine(tuple(arguments), tuple(options))
    if rest[:1] == ["--"]:
        return line._replace(command=tuple(rest[1:]))
    if len(rest) > 1:
        raise Refusal(QSUB_USAGE, 2)
    return line if rest in ([], ["-"]) else line._replace(script=rest[0])


def directives(script: str, prefix: str = _PREFIX) -> list[tuple[str, str]]:
    """Return the options in a script, which are those before its first command."""
    found: list[tuple[str, str]] = []
    for line in script.splitlines():
        text = line.strip()
        if prefix and text.startswith(prefix):
            found += _directive(text[len(prefix) :])
        elif text and not text.startswith((":", "#")):
            break
    return found


def _directive(text: str) -> list[tuple[str, str]]:
    words = split_words(text)
    try:
        options, _ = parse_short_options(words, _FLAGS, _VALUED)
    except BadOption as error:
        raise bad_directive(str(error), " ".join(words)) from None
    return options


def split_words(text: str) -> list[str]:
    """Split a directive into words; quotes protect spaces, and a # starts a comment."""
    words = [match[0] for match in _WORD.finditer(text)]
    comment = next((number for number, word in enumerate(words) if word.startswith("#")), None)
    return [_without_quotes(word) for word in words[:comment]]


def split_list(text: str) -> list[str]:
    """Split at commas outside quotes, and remove the quotes."""
    return [item for match in _ITEM.finditer(text) if (item := _without_quotes(match[0]))]


def _without_quotes(text: str) -> str:
    return _QUOTED.sub(lambda match: match[1] or match[2] or "", text)


class Request(NamedTuple):
    """The resources that a job requests."""

    select: str
    chunks: tuple[Chunk, ...]
    place: str
    walltime_s: float | None
    others: dict[str, str]


def parse_request(lists: Iterable[str], default_cpus: int) -> Request:
    """Read the values of ``-l``, such as ``select=2,walltime=1:00``; the first value of a name counts."""
    values: dict[str, str] = {}
    for item in (item for text in lists for item in text.split(",") if item.strip()):
        name, _, value = (part.strip() for part in item.partition("="))
        if name not in _JOB_RESOURCES:
            raise qsub_refusal("bad-resource", name)
        values.setdefault(name, value)
    select = values.pop("select", "") or _select_of_nodes(values)
    walltime = values.pop("walltime", None)
    walltime_s = None if walltime is None else parse_duration_s(walltime)
    if walltime is not None and walltime_s is None:
        raise qsub_refusal("bad-value", "walltime")
    place = values.pop("place", "").partition(":")[0] or "scatter"
    values.pop("ncpus", None)
    return Request(select, parse_select(select, default_cpus), place, walltime_s, values)


def parse_select(text: str, default_cpus: int) -> tuple[Chunk, ...]:
    """Read the value of ``select``, such as ``2:ncpus=208:mpiprocs=2+1:ncpus=4``."""
    return tuple(_parse_chunk(piece, default_cpus) for piece in text.split("+"))


def _parse_chunk(text: str, default_cpus: int) -> Chunk:
    first, *rest = text.split(":")
    if not first.isdigit():
        first, rest = "1", [first, *rest]
    values = {}
    for item in rest:
        name, equals, value = item.partition("=")
        if not equals or not value:
            raise qsub_refusal("bad-value", "select")
        if name not in _CHUNK_RESOURCES:
            raise qsub_refusal("bad-select", name)
        values[name] = value
    cpus, processes = values.get("ncpus", str(default_cpus)), values.get("mpiprocs", "1")
    if not (cpus.isdigit() and processes.isdigit() and int(first) > 0):
        raise qsub_refusal("bad-value", "select")
    return Chunk(int(first), int(cpus), int(processes))


def _select_of_nodes(values: dict[str, str]) -> str:
    """Translate the old forms ``nodes=2:ppn=4`` and ``ncpus=4``, as PBS does."""
    nodes = values.pop("nodes", "")
    if not nodes:
        return f"1:ncpus={values['ncpus']}" if values.get("ncpus", "").isdigit() else "1"
    count, _, rest = nodes.partition(":")
    name, _, value = rest.partition("=")
    if not count.isdigit() or (rest and (name != "ppn" or not value.isdigit())):
        raise qsub_refusal("bad-value", "nodes")
    return f"{count}:ncpus={value}:mpiprocs={value}" if rest else count
