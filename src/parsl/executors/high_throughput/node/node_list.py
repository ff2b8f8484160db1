"""The nodes of a batch job, from the scheduler's variables in the environment of the job's first node."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

#: The variables, in the order in which they are tried.
NODE_FILE_VARIABLE = "PBS_NODEFILE"
SLURM_VARIABLES = ("SLURM_JOB_NODELIST", "SLURM_NODELIST")

#: A longer list is a typing error, such as n[1-1000000000].
MAX_NODES = 1_000_000

_NOTHING = f"The environment has neither {NODE_FILE_VARIABLE} nor {SLURM_VARIABLES[0]}"
_CHECK_THE_REQUEST = "Check the request to the scheduler."
_NAME_THE_FILE = (
    f"Set the path of the list of nodes in worker_init: export {NODE_FILE_VARIABLE}=$PE_HOSTFILE "
    "with Grid Engine, =$LSB_DJOB_HOSTFILE with LSF."
)

_RANGE = re.compile(r"(\d{1,18})(?:-(\d{1,18}))?", re.ASCII)
#: A name with more brackets is not valid.
_MAX_BRACKETS = 16
_ADDRESS = re.compile(r"[\d.]+")


class NoNodes(ValueError):
    """The environment has no usable list of nodes; the text is the reason."""


def read_nodes(environ: Mapping[str, str], host: str, required: int = 1) -> list[str]:
    """Return the nodes of the job that this process runs in, in the scheduler's spelling and order.

    Where the environment names none, that is ``host`` alone. NoNodes if fewer than ``required`` are named.
    """
    nodes, source = _named_nodes(environ, host)
    if len(nodes) < required:
        count = f"{len(nodes)} {'node' if len(nodes) == 1 else 'nodes'} ({_some(nodes)})"
        advice = _NAME_THE_FILE if source.startswith(_NOTHING) else _CHECK_THE_REQUEST
        raise NoNodes(
            f"{source} names {count}, but the block needs {required}: nodes_per_block={required}. {advice}"
        )
    return nodes


def _named_nodes(environ: Mapping[str, str], host: str) -> tuple[list[str], str]:
    if file := environ.get(NODE_FILE_VARIABLE):
        return _read_node_file(file), f"The node file {file} (from {NODE_FILE_VARIABLE})"
    for variable in SLURM_VARIABLES:
        if text := environ.get(variable):
            return unique_nodes(expand_slurm_list(text)), f"{variable}={text}"
    return [host], f"{_NOTHING}; this host alone"


def _read_node_file(file: str) -> list[str]:
    try:
        with open(file, encoding="utf-8", errors="replace") as lines:
            nodes = parse_node_file(lines.read())
    except OSError as error:
        raise NoNodes(
            f"{NODE_FILE_VARIABLE} is {file}, which cannot be read: {error.strerror}. "
            f"Run inside the batch job, or unset {NODE_FILE_VARIABLE} to use this host alone."
        ) from error
    if not nodes:
        raise NoNodes(f"{NODE_FILE_VARIABLE} is {file}, which is empty: there is no node to run on.")
    return nodes


def parse_node_file(text: str) -> list[str]:
    """Return the first word of each line, once: a node has one line per MPI process by default."""
    lines = (line.partition("#")[0].split() for line in text.splitlines())
    return unique_nodes(words[0] for words in lines if words)


def unique_nodes(names: Iterable[str]) -> list[str]:
    """Remove repeated names; a short name and a long name that begins with it are the same node."""
    names = list(dict.fromkeys(names))
    firsts: dict[str, int] = {}
    for at, name in enumerate(names):
        if not _ADDRESS.fullmatch(name):
            firsts.setdefault(name.partition(".")[0], at)
    return [name for at, name in enumerate(names) if not _is_repeated(name, at, names, firsts)]


def _is_repeated(name: str, at: int, names: list[str], firsts: dict[str, int]) -> bool:
    first = firsts.get(name.partition(".")[0], at)
    return first < at and ("." not in name or "." not in names[first])


def expand_slurm_list(text: str) -> list[str]:
    """Expand a list in Slurm's notation: ``nid[001-003,7],login1`` are five nodes."""
    nodes: list[str] = []
    for part in _split_outside_brackets(text):
        nodes += _expand_name(part, text)
        if len(nodes) > MAX_NODES:
            raise NoNodes(f"The list of nodes {text!r} names more than {MAX_NODES} nodes.")
    return nodes


def _split_outside_brackets(text: str) -> list[str]:
    parts, depth = [""], 0
    for character in text.strip():
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
        if depth not in (0, 1):
            raise _malformed(text)
    if depth or not all(part.strip() and part.count("[") <= _MAX_BRACKETS for part in parts):
        raise _malformed(text)
    return [part.strip() for part in parts]


def _expand_name(name: str, text: str) -> list[str]:
    before, bracket, rest = name.partition("[")
    if not bracket:
        return [before]
    inside, _, after = rest.partition("]")
    endings = _expand_name(after, text)
    numbers = _expand_numbers(inside, text)
    if len(numbers) * len(endings) > MAX_NODES:
        raise NoNodes(f"The list of nodes {text!r} names more than {MAX_NODES} nodes.")
    return [before + number + ending for number in numbers for ending in endings]


def _expand_numbers(inside: str, text: str) -> list[str]:
    numbers: list[str] = []
    for part in inside.split(","):
        found = _RANGE.fullmatch(part.strip())
        if found is None:
            raise _malformed(text)
        low, high = found[1], found[2] or found[1]
        if not 0 <= int(high) - int(low) < MAX_NODES:
            raise _malformed(text)
        numbers += [str(number).zfill(len(low)) for number in range(int(low), int(high) + 1)]
    return numbers


def _malformed(text: str) -> NoNodes:
    return NoNodes(f"{text!r} is not a list of nodes such as nid[001-004,7],login1.")


def _some(nodes: list[str]) -> str:
    return ", ".join(nodes[:3]) + (", ..." if len(nodes) > 3 else "")
