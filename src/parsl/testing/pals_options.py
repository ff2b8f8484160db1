"""The options of HPE PALS' mpiexec that Parsl and Aurora's user guide use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from parsl.executors.high_throughput.node.cpu_list import LIST_PREFIX, parse_cpu_list

USAGE = """\
Usage: mpiexec [options] command [arguments]

  -n, --np N          number of ranks in all
  --ppn N             number of ranks on each node
  -d, --depth N       number of CPUs for each rank
  --cpu-bind BINDING  none, core, depth, or list:0-7:8-15
  --mem-bind BINDING  none, local, or list:0:1 (not simulated)
  --env NAME=VALUE    set a variable for the ranks; may be repeated
  --hosts HOST,...    the nodes
  --hostfile FILE     a file with a node on each line; default: $PBS_NODEFILE
  --no-vni            no network identifier (not simulated)
"""

#: Every spelling of each option that takes a value.
_VALUED = {
    "n": "np", "np": "np", "ppn": "ppn", "d": "depth", "depth": "depth", "cpu-bind": "cpu_bind",
    "mem-bind": "mem_bind", "env": "env", "hosts": "hosts", "hostfile": "hostfile",
}  # fmt: skip
_FLAGS = {"no-vni": "no_vni", "help": "help", "h": "help"}


class PalsUsageError(Exception):
    """PALS does not accept the command line; the message is that of PALS."""


class PalsOptions(NamedTuple):
    """The options and the command of a command line."""

    command: tuple[str, ...]
    np: int | None = None
    ppn: int | None = None
    depth: int = 1
    cpu_bind: str = "none"
    hosts: tuple[str, ...] = ()
    hostfile: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    is_help: bool = False


def parse_options(arguments: Sequence[str]) -> PalsOptions:
    """Read a command line; the command begins at the first argument that is not an option."""
    # As with getopt_long_only, a long option may have one dash or two, and its value may follow "=".
    values: dict[str, list[str]] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] not in ("-", "--"):
        name, value = _read_option(rest)
        values.setdefault(name, []).append(value)
    if rest[:1] == ["--"]:
        del rest[0]
    if "help" not in values and not rest:
        raise PalsUsageError("no command was given")
    return _options(values, tuple(rest))


def _read_option(rest: list[str]) -> tuple[str, str]:
    """Remove an option and its value from the front of the command line."""
    argument = rest.pop(0)
    spelled, equals, value = argument.lstrip("-").partition("=")
    if argument.startswith("---"):
        raise PalsUsageError(f"unrecognized option '{argument}'")
    if spelled in _FLAGS and not equals:
        return _FLAGS[spelled], ""
    if spelled in _VALUED:
        if not equals and not rest:
            raise PalsUsageError(f"option '{argument}' requires an argument")
        return _VALUED[spelled], value if equals else rest.pop(0)
    if argument[1] in "nd" and argument[2:].isdecimal():
        return _VALUED[argument[1]], argument[2:]
    raise PalsUsageError(f"unrecognized option '{argument.partition('=')[0]}'")


def _options(values: dict[str, list[str]], command: tuple[str, ...]) -> PalsOptions:
    last = {name: given[-1] for name, given in values.items()}
    memory = last.get("mem_bind", "none")
    if memory not in ("none", "local") and not memory.startswith(LIST_PREFIX):
        raise PalsUsageError(f"invalid memory binding '{memory}'")
    variables = [text.partition("=") for text in values.get("env", ())]
    for name, equals, value in variables:
        if not name or not equals:
            text = f"{name}{equals}{value}"
            raise PalsUsageError(f"invalid argument '{text}' for option '--env': NAME=VALUE is needed")
    return PalsOptions(
        command=command,
        np=_count("-n", last.get("np")),
        ppn=_count("--ppn", last.get("ppn")),
        depth=_count("--depth", last.get("depth")) or 1,
        cpu_bind=_cpu_binding(last.get("cpu_bind", "none")),
        hosts=tuple(host for host in last.get("hosts", "").split(",") if host),
        hostfile=last.get("hostfile"),
        env=tuple((name, value) for name, _, value in variables),
        is_help="help" in values,
    )


def _count(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or int(text) == 0:
        raise PalsUsageError(f"invalid argument '{text}' for option '{option}'")
    return int(text)


def _cpu_binding(text: str) -> str:
    if text in ("none", "core", "depth"):
        return text
    if text.startswith(LIST_PREFIX):
        try:
            parse_cpu_list(text[len(LIST_PREFIX) :])
        except ValueError as error:
            raise PalsUsageError(f"invalid CPU binding '{text}': {error}") from None
        return text
    raise PalsUsageError(f"invalid CPU binding '{text}'")
