"""The options of qsub, on its command line and in a script, with the resources of ``-l``. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from parsl.testing.schedulers.command import BadOption, parse_short_options
from parsl.testing.schedulers.notation import parse_duration_s
from parsl.testing.schedulers.records import Chunk
from parsl.testing.schedulers.refusals import QSUB_USAGE, Refusal, bad_directive, bad_option, qsub_refusal

_FLAGS = "fhIVXz"
_VALUED = "aAcCejJklmMNopPqrRSuvW"
_PREFIX = "#PBS"
_MAX_NAME = 230
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


class QsubOptions(NamedTuple):
    """The options of a job, including those in its script."""

    account: str = ""
    queue: str = ""
    name: str = ""
    output_path: str = ""
    error_path: str = ""
    join: str = "n"
    keep: str = ""
    shell: str = ""
    rerunnable: bool = True
    is_held: bool = False
    is_interactive: bool = False
    exports_all: bool = False
    not_before: str = ""
    variables: tuple[str, ...] = ()
    resources: tuple[tuple[str, str], ...] = ()
    others: tuple[tuple[str, str], ...] = ()


class CommandLine(NamedTuple):
    """The command line of qsub."""

    options: tuple[tuple[str, str], ...]
    #: The script; None for stdin.
    script: str | None
    #: The command after ``--``, instead of a script.
    command: tuple[str, ...]
    prefix: str


def parse_command_line(arguments: Sequence[str]) -> CommandLine:
    """Read the command line of qsub."""
    try:
        options, rest = parse_short_options(arguments, _FLAGS, _VALUED)
    except BadOption as error:
        raise bad_option(str(error)) from None
    prefix = next((value for letter, value in options if letter == "C"), _PREFIX)
    if rest[:1] == ["--"]:
        return CommandLine(tuple(options), None, tuple(rest[1:]), prefix)
    if len(rest) > 1:
        raise Refusal(QSUB_USAGE, 2)
    return CommandLine(tuple(options), rest[0] if rest and rest[0] != "-" else None, (), prefix)


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
    words: list[str] = []
    word, quote, inside = "", "", False
    for character in text:
        if quote:
            if character == quote:
                quote = ""
            else:
                word += character
        elif character in "'\"":
            quote, inside = character, True
        elif character.isspace():
            if inside:
                words.append(word)
            word, inside = "", False
        elif character == "#" and not inside:
            break
        else:
            word += character
            inside = True
    return [*words, word] if inside else words


def merge_options(command_line: Sequence[tuple[str, str]], script: Sequence[tuple[str, str]]) -> QsubOptions:
    """Merge the options; those of the command line take precedence over those of the script."""
    values = dict((*reversed(script), *reversed(command_line)))
    everything = (*command_line, *script)
    name = values.get("N", "")
    if "N" in values:
        _check_name(name)
    return QsubOptions(
        account=values.get("A", ""),
        queue=values.get("q", "").partition("@")[0],
        name=name,
        output_path=values.get("o", ""),
        error_path=values.get("e", ""),
        join=values.get("j", "n"),
        keep=values.get("k", ""),
        shell=values.get("S", ""),
        rerunnable=values.get("r", "y") != "n",
        is_held="h" in values,
        is_interactive="I" in values,
        exports_all="V" in values,
        not_before=values.get("a", ""),
        variables=tuple(item for letter, value in everything if letter == "v" for item in split_list(value)),
        resources=tuple(
            pair for letter, value in everything if letter == "l" for pair in parse_resource_list(value)
        ),
        others=tuple((letter, value) for letter, value in everything if letter in "WJ"),
    )


def split_list(text: str) -> list[str]:
    """Split at commas outside quotes, and remove the quotes."""
    items, quote = [""], ""
    for character in text:
        if character in "'\"" and quote in ("", character):
            quote = "" if quote else character
        elif character == "," and not quote:
            items.append("")
        else:
            items[-1] += character
    return [item for item in items if item]


def named_variables(items: Sequence[str], environment: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return the variables of ``-v``: ``NAME=VALUE``, or ``NAME`` with the value in the environment."""
    found = []
    for item in items:
        name, equals, value = item.partition("=")
        found.append((name, value if equals else environment.get(name, ""), "-v"))
    return found


def _check_name(name: str) -> None:
    if not name or any(character.isspace() for character in name) or not name.isprintable():
        raise bad_option("illegal -N value")
    if len(name) > _MAX_NAME:
        raise qsub_refusal("long-name")


class Request(NamedTuple):
    """The resources that a job requests."""

    select: str
    chunks: tuple[Chunk, ...]
    place: str
    walltime_s: float | None
    others: tuple[tuple[str, str], ...]


def parse_resource_list(text: str) -> list[tuple[str, str]]:
    """Split ``select=1:ncpus=2,walltime=1:00`` into names and values."""
    pairs = (item.partition("=") for item in text.split(",") if item.strip())
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def parse_request(pairs: Sequence[tuple[str, str]], default_cpus: int) -> Request:
    """Read the resources of ``-l``; the first value of a name counts."""
    values: dict[str, str] = {}
    for name, value in pairs:
        if name not in _JOB_RESOURCES:
            raise qsub_refusal("bad-resource", name)
        values.setdefault(name, value)
    select = values.pop("select", "") or _select_of_nodes(values)
    walltime = values.pop("walltime", None)
    walltime_s = None if walltime is None else parse_duration_s(walltime)
    if walltime is not None and walltime_s is None:
        raise qsub_refusal("bad-value", "walltime")
    place = values.pop("place", "scatter").partition(":")[0]
    values.pop("ncpus", None)
    chunks = parse_select(select, default_cpus)
    return Request(select, chunks, place or "scatter", walltime_s, tuple(values.items()))


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
