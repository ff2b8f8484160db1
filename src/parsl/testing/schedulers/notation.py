"""How PBS writes job ids, nodes and durations. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from parsl.testing.schedulers.records import Placement


def full_id(number: int, server: str) -> str:
    """Return the id of a job, such as ``42.server``."""
    return f"{number}.{server}"


def parse_id(text: str, server: str) -> int | None:
    """Return the number in ``42.server`` or ``42``; -1 if the server is another one, None if it is no id."""
    digits, dot, rest = text.partition(".")
    if not _is_number(digits):
        return None
    if dot and rest not in (server, server.partition(".")[0]):
        return -1
    return int(digits)


def short(host: str) -> str:
    """Return the name of a host without its domain."""
    return host.partition(".")[0]


def vnodes(placements: Sequence[Placement]) -> str:
    """Write the nodes of a job as in ``exec_vnode``."""
    return "+".join(f"({short(each.host)}:ncpus={each.cpus})" for each in placements)


def exec_hosts(placements: Sequence[Placement]) -> str:
    """Write the nodes of a job as in ``exec_host``."""
    return "+".join(f"{short(each.host)}/0*{each.cpus}" for each in placements)


def nodefile_text(placements: Sequence[Placement]) -> str:
    """Write the node file: the full name of each node, once per process."""
    return "".join(f"{each.host}\n" * each.processes for each in placements)


def parse_duration_s(text: str) -> float | None:
    """Read ``SS``, ``MM:SS`` or ``HH:MM:SS``, also with a fraction; None if it is not a duration."""
    *fields, last = text.strip().split(":")
    seconds, _, fraction = last.partition(".")
    whole = [*fields, seconds]
    if len(whole) > 3 or not all(map(_is_number, whole)) or (fraction and not _is_number(fraction)):
        return None
    total = 0.0
    for field in whole:
        total = total * 60 + int(field)
    return total + float(f"0.{fraction or 0}")


def format_duration(seconds: float) -> str:
    """Write ``HH:MM:SS``; hours may have more than two digits."""
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def format_hours_minutes(seconds: float) -> str:
    """Write ``HH:MM``, rounded up to the next minute, as in the tables of qstat."""
    return format_duration(-(-int(seconds) // 60) * 60)[:-3]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
